/** What a core that polls virtqueues is given: plain data. */
export interface VhostCoreConfig {
  /** Number of this core: it polls queue pair `pair` of every guest. */
  pair: number;
  guests: number;
  offered: { low: number; high: number };
  pageBytes: number;
  /** Window of its packet buffers, and of its NIC rings when it has some. */
  window: string;
  windowBytes: number;
  buffers: number;
  bufferBytes: number;
}

/** A run-to-completion core polls NIC queue `pair` as well. */
export interface PolledCoreConfig extends VhostCoreConfig {
  nicRing: number;
  /** False when nothing comes from the wire (v2v): the NIC is not polled. */
  wire: boolean;
}

/** Ports of the bridge: the wire, then one per guest. */
export const WIRE_PORT = 1;
export const FIRST_GUEST_PORT = 10;
