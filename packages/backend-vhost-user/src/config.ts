/** What a PMD core is given: plain data. */
export interface PmdConfig {
  /** Number of this core: it polls queue pair `pair` of every guest and NIC queue `pair`. */
  pair: number;
  guests: number;
  offered: { low: number; high: number };
  pageBytes: number;
  window: string;
  windowBytes: number;
  nicRing: number;
  buffers: number;
  bufferBytes: number;
  /** False when nothing comes from the wire (v2v): the NIC is not polled. */
  wire: boolean;
}

/** Ports of the bridge: the wire, then one per guest. */
export const WIRE_PORT = 1;
export const FIRST_GUEST_PORT = 10;
