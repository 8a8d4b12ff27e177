import type {
  FailoverDeviceName,
  GuestLayout,
  GuestRole,
  NumberedEvent,
  PacketFault,
  PairLayout,
  ScenarioConfig,
} from '@vhostlab/workload';
import type { VmmMigration } from './migrate/migration-config.ts';

/** How the notification of a queue leaves the guest: ioeventfd after an exit, a mapped page, or as vDPA has it. */
export type DoorbellKind = 'ioeventfd' | 'mapped' | 'vdpa';

/** Configuration of a `guest/vcpu` core: plain data. */
export interface VcpuConfig {
  guest: number;
  queue: number;
  role: GuestRole;
  /** The parts of the scenario that a vCPU looks at. */
  scenario: Pick<
    ScenarioConfig,
    'workload' | 'queues' | 'ring' | 'ringSize' | 'pages' | 'guest' | 'offloads' | 'traffic' | 'without'
  >;
  /** Window of the guest's memory. */
  window: string;
  pair: PairLayout;
  /** Register accesses trap to the VMM; false: they go to a PCI function. */
  emulated: boolean;
  doorbell: DoorbellKind;
  /** Scenarios in which the back end changes: the notification's way by instance. `doorbell` is that of the first one. */
  routes?: DoorbellKind[];
  /** Scenarios in which the guest migrates: the instance on the other host, and the guest's memory there and its size. */
  arrival?: {
    instance: number;
    window: string;
    memoryBytes: number;
    /** vdpa: the route to the VMM's shadow virtqueues. */
    shadow?: number;
  };
  /** A device of a guest with net_failover: the memory end of its queue pair, and whether it is the standby one. */
  failover?: { end: string; isStandby: boolean };
  faults: PacketFault[];
  /** Sources of kind pcap. */
  capture?: string;
  /** vCPU 0, which brings the device up. */
  boot?: { layout: GuestLayout };
}

/** A back end of an emulated device, as its VMM reaches it. */
export interface VmmInstance {
  backend: 'vhost-net' | 'vhost-user' | 'vdpa';
  /** Control ends to it: one per queue pair, one for all of them with vDPA. */
  ends: string[];
  /** Window in which its device sees guest memory. */
  window: string;
}

/** A change of the back end at its moment. */
export type VmmSwap = NumberedEvent<'swap'> & {
  /** Instance that the device goes to. */
  instance: number;
  /** Tests of what holds: steps that are left out. */
  skips?: ('drain' | 'bases')[];
};

/** What the VMM needs to plug and unplug primary devices. */
export interface VmmFailover {
  primary: 'emulated' | 'passed';
  swaps: VmmSwap[];
  /** Instances by device, as the NIC counts them. */
  instances: Record<FailoverDeviceName, number>;
}

/** Configuration of a `guest/vmm` core: plain data. */
export interface VmmConfig {
  guest: number;
  backend: 'vhost-net' | 'vhost-user' | 'vdpa';
  queues: number;
  ringSize: number;
  window: string;
  layout: GuestLayout;
  /** The first one is `backend`; more than one when the back end changes. */
  instances: VmmInstance[];
  swaps: VmmSwap[];
  migration?: VmmMigration;
  /** The emulated primary device of a guest with net_failover. */
  failover?: VmmFailover;
  /** The standby device of such a guest: it offers VIRTIO_NET_F_STANDBY. */
  isStandby?: true;
}
