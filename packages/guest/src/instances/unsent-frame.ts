/** A frame that was in a transmit queue and not used when its device was reset. */
export interface UnsentFrame {
  buffer: number;
  length: number;
  packet: number;
  bornPs: number;
}
