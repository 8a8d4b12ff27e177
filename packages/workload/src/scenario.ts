import type { BackendName, Offloads } from './backends.ts';
import type { ScenarioEvent } from './events/scenario-event.ts';
import type { TrafficSpec } from './traffic-spec.ts';
import type { WorkloadName } from './workloads.ts';

/** Page sizes of guest, host mapping and IOMMU; `compare` gives all back ends the same. */
export const PAGE_SIZES = { '4K': 4096, '2M': 2 * 1024 * 1024, '1G': 1024 * 1024 * 1024 } as const;
export type PageSize = keyof typeof PAGE_SIZES;

/** PCI Express links that a NIC can have. */
export const PCIE_LINKS = ['gen3x8', 'gen3x16', 'gen4x16'] as const;
export type PcieLink = (typeof PCIE_LINKS)[number];

/** A fault put into one packet between `guest.vring_add` and its publication. */
export interface PacketFault {
  /** Packet number. */
  packet: number;
  /** flip: one payload byte is inverted. shorten: the descriptor ends early. unmap: its page leaves the device's map. */
  action: 'flip' | 'shorten' | 'unmap';
  /** flip: byte of the frame; shorten: new frame length in bytes. */
  value: number;
}

/** Features that a device can be told not to offer. */
export const WITHOUT_FEATURES = ['IN_ORDER', 'INDIRECT_DESC', 'EVENT_IDX'] as const;
export type WithoutFeature = (typeof WITHOUT_FEATURES)[number];

/** One run as every service sees it: plain data, the same for all of them. */
export interface ScenarioConfig {
  backend: BackendName;
  /** A plugin in place of the back end, with options of its own; the other services see `backend`. */
  plugin?: { name: string; options?: Record<string, unknown> };
  workload: WorkloadName;
  /** 2 for v2v, else 1. */
  guests: number;
  /** Queue pairs per guest, 1..16; each brings one vCPU and one vhost worker or PMD core. */
  queues: number;
  ring: 'split' | 'packed';
  /** Entries per virtqueue. */
  ringSize: number;
  pages: PageSize;
  /** vhost-user: run to completion on one core, or vhost and datapath on two. */
  execution: 'rtc' | 'pipeline';
  guest: 'interrupt' | 'poll';
  offloads: Offloads;
  nic: { pcie: PcieLink; rateGbps: number };
  /** Features that the guest's device does not offer, by name without VIRTIO_F_; absent: it offers what it can. */
  without?: WithoutFeature[];
  /** vdpa: what the device cannot do; absent: it can. */
  vdpaLacks?: 'suspend'[];
  /** Bridge flows, one ovs-ofctl style line each. */
  flows: string[];
  traffic: TrafficSpec;
  /** traffic of kind pcap: the capture's bytes in base64. */
  capture?: string;
  faults: PacketFault[];
  /** What is done to the run at moments of its virtual time; absent: nothing. */
  events?: ScenarioEvent[];
  seed: number;
}
