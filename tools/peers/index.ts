export { type GuestResult, Qmp, type QmpEvent } from '@vhostlab/lab/real-nodes';
export { Cleanup, type Stoppable } from './cleanup.ts';

export { differingPages, guestMemory } from './guest-memory.ts';
export { ensureHugePages, type HugePages, hugePages } from './hugepages.ts';
export { arrived, fileAddress, limitMigration, type MigrationStatus, migrateTo } from './migration.ts';
export { type NetVhostOptions, netVhost } from './net-vhost.ts';
export { Network, type NetworkResult } from './network.ts';
export { type NodeGuestOptions, nodeGuest } from './node-guest.ts';
export { OvsDpdk, type OvsDpdkOptions, type OvsPortStats, ovsDpdk } from './ovs-dpdk.ts';
export {
  clearStaleSocket,
  isListening,
  type PeerCommand,
  type PeerExit,
  PeerProcess,
  peerFolder,
  requireProgram,
  waitUntil,
} from './process.ts';
export { macAddress, Qemu, type VhostUserNetdev } from './qemu.ts';
export { type QemuIpxeOptions, qemuIpxe } from './qemu-ipxe.ts';
export { type LinuxGuest, type QemuLinuxOptions, qemuLinux } from './qemu-linux.ts';
export { type StorageDaemonOptions, storageDaemon } from './storage-daemon.ts';
export { endTap, type TapSummaryLine, type VhostlabTapOptions, vhostlabTap } from './tap.ts';
export {
  type ForwardMode,
  type ForwardStats,
  type PortStats,
  Testpmd,
  type TestpmdOptions,
} from './testpmd.ts';
export {
  finalStatistics,
  type QueueStatistics,
  type VhostlabBackendOptions,
  vhostlab,
  vhostlabBackend,
} from './vhostlab.ts';
export { type VirtioUserOptions, virtioUser } from './virtio-user.ts';
