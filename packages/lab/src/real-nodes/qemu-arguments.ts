/** One virtio-net device of a guest, and the vhost-user socket behind it. */
export interface VhostUserNetdev {
  readonly socketPath: string;
  /** Listens on the socket and takes back ends one after the other; connects to it by default. */
  readonly server?: boolean;
  /** As a client, connects again this many seconds after it lost the back end. */
  readonly reconnectS?: number;
  readonly mac?: string;
  /** Queue pairs, 1 by default. */
  readonly queues?: number;
  /** More properties of the device `virtio-net-pci`, such as `{ packed: 'on', csum: 'off' }`. */
  readonly device?: Readonly<Record<string, string | number>>;
}

/** What every machine with vhost-user has. */
export interface MachineArguments {
  readonly memoryMiB: number;
  readonly qmpPath: string;
  readonly netdevs: readonly VhostUserNetdev[];
  /** Shared memory on huge pages instead of ordinary ones. */
  readonly hugepages?: boolean;
  /** Emulation by default. */
  readonly accel?: 'tcg' | 'kvm';
}

/** The options of a machine with shared memory, a monitor and network devices, and nothing else. */
export function machineArguments(machine: MachineArguments): string[] {
  const { memoryMiB, qmpPath, netdevs, hugepages = false, accel = 'tcg' } = machine;
  return [
    '-machine',
    `q35,accel=${accel}`,
    ...(accel === 'kvm' ? ['-cpu', 'host'] : []),
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-m',
    String(memoryMiB),
    '-object',
    `memory-backend-memfd,id=mem,size=${memoryMiB}M,share=on${hugepages ? ',hugetlb=on' : ''}`,
    '-numa',
    'node,memdev=mem',
    '-qmp',
    `unix:${optionText(qmpPath)},server=on,wait=off`,
    ...netdevs.flatMap(netdevArguments),
  ];
}

/** The options of one network device. */
export function netdevArguments(netdev: VhostUserNetdev, index: number): string[] {
  const queues = netdev.queues ?? 1;
  const chardev = [
    'socket',
    `id=chr${index}`,
    `path=${optionText(netdev.socketPath)}`,
    ...(netdev.server === true ? ['server=on', 'wait=off'] : []),
    ...(netdev.reconnectS === undefined ? [] : [`reconnect=${netdev.reconnectS}`]),
  ];
  const device = [
    'virtio-net-pci',
    `netdev=net${index}`,
    `mac=${netdev.mac ?? macAddress(index)}`,
    ...(queues > 1 ? ['mq=on'] : []),
    ...Object.entries(netdev.device ?? {}).map(([name, value]) => `${name}=${value}`),
  ];
  return [
    '-chardev',
    chardev.join(','),
    '-netdev',
    `vhost-user,id=net${index},chardev=chr${index},queues=${queues}`,
    '-device',
    device.join(','),
  ];
}

/** A locally administered address for device `index` (below 256) of guest `guest` (below 256). */
export function macAddress(index: number, guest?: number): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return guest === undefined ? `52:54:00:12:34:${hex(index)}` : `52:54:00:76:${hex(guest)}:${hex(index)}`;
}

/** A value as QEMU takes it within an option: a comma is doubled. */
export function optionText(value: string): string {
  return value.replaceAll(',', ',,');
}
