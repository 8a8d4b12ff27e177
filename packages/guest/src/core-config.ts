import type { GuestLayout, GuestRole, PacketFault, PairLayout, ScenarioConfig } from '@vhostlab/workload';

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
    'workload' | 'queues' | 'ring' | 'ringSize' | 'pages' | 'guest' | 'offloads' | 'traffic'
  >;
  /** Window of the guest's memory. */
  window: string;
  pair: PairLayout;
  /** Register accesses trap to the VMM; false: they go to a PCI function. */
  emulated: boolean;
  doorbell: DoorbellKind;
  faults: PacketFault[];
  /** Sources of kind pcap. */
  capture?: string;
  /** vCPU 0, which brings the device up. */
  boot?: { layout: GuestLayout };
}

/** Configuration of a `guest/vmm` core: plain data. */
export interface VmmConfig {
  guest: number;
  backend: 'vhost-net' | 'vhost-user' | 'vdpa';
  queues: number;
  ringSize: number;
  window: string;
  layout: GuestLayout;
}
