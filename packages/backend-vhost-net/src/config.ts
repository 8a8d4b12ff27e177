/** Ports of the bridge: the wire, then one per guest. */
export const WIRE_PORT = 1;
export const FIRST_GUEST_PORT = 10;

/** What every core of vhost-net that drives a NIC queue is given. */
export interface HostCoreConfig {
  /** Window of its NIC rings and packet buffers. */
  window: string;
  windowBytes: number;
  nicRing: number;
  buffers: number;
  bufferBytes: number;
  /** The guest may leave this back end: worker and softirq core have a channel for that. */
  drains?: boolean;
}

/** What a vhost worker is given: plain data. */
export interface WorkerConfig extends HostCoreConfig {
  guest: number;
  pair: number;
  /** Guests whose taps are reached over the bridge without the wire. */
  peers: number[];
  offered: { low: number; high: number };
  /** Page size of the host's mapping of guest memory. */
  pageBytes: number;
  /** False when nothing comes from the wire (v2v). */
  wire: boolean;
}

/** What a softirq core is given: plain data. */
export interface SoftirqConfig extends HostCoreConfig {
  pair: number;
  guests: number;
}
