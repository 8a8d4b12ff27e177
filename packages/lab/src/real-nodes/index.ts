export { GuestConsole, type GuestResult } from './guest-console.ts';
export { cpioArchive, type GuestFile, guestInitramfs } from './initramfs.ts';
export { isListening } from './listening.ts';
export { ovsConfig, ovsEnvironment } from './ovs-node.ts';
export {
  type MachineArguments,
  macAddress,
  machineArguments,
  netdevArguments,
  type VhostUserNetdev,
} from './qemu-arguments.ts';
export { Qmp, type QmpEvent } from './qmp.ts';
export {
  type ForwardMode,
  netVhostDevice,
  type PortCounters,
  parsePortStats,
  type TestpmdArguments,
  testpmdArguments,
  type VirtioUserDevice,
  virtioUserDevice,
} from './testpmd-arguments.ts';
export { TextSocket } from './text-socket.ts';
