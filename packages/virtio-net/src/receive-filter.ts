/** Addresses that each table holds; more make the table match everything of its kind. */
export const MAC_TABLE_ENTRIES = 64;
export const VLAN_IDS = 4096;

/** One address table: up to MAC_TABLE_ENTRIES addresses one after the other. */
class MacTable {
  readonly #bytes = new Uint8Array(MAC_TABLE_ENTRIES * 6);
  count = 0;
  overflow = false;

  set(u8: Uint8Array, at: number, entries: number): void {
    this.overflow = entries > MAC_TABLE_ENTRIES;
    this.count = this.overflow ? 0 : entries;
    this.#bytes.set(u8.subarray(at, at + this.count * 6));
  }

  has(u8: Uint8Array, at: number): boolean {
    if (this.overflow) return true;
    for (let entry = 0; entry < this.count; entry++) if (sameMac(this.#bytes, entry * 6, u8, at)) return true;
    return false;
  }
}

function sameMac(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let i = 0; i < 6; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/**
 * Which frames a device passes to the driver (virtio 1.3, 5.1.6.5.1 to 5.1.6.5.3). A device starts promiscuous,
 * as those of common VMMs do, because a driver without CTRL_RX cannot ask for anything else.
 */
export class ReceiveFilter {
  promiscuous = true;
  allMulticast = false;
  allUnicast = false;
  noMulticast = false;
  noUnicast = false;
  noBroadcast = false;
  readonly unicast = new MacTable();
  readonly multicast = new MacTable();
  readonly #mac = new Uint8Array(6);
  readonly #vlans = new Uint8Array(VLAN_IDS / 8);
  #filterVlans = false;

  /** Back to the state after a reset; `filterVlans` when CTRL_VLAN was negotiated: no VLAN passes then. */
  reset(mac: Uint8Array, filterVlans: boolean): void {
    this.promiscuous = true;
    this.allMulticast = false;
    this.allUnicast = false;
    this.noMulticast = false;
    this.noUnicast = false;
    this.noBroadcast = false;
    this.unicast.set(mac, 0, 0);
    this.multicast.set(mac, 0, 0);
    this.#vlans.fill(0);
    this.#filterVlans = filterVlans;
    this.setMac(mac, 0);
  }

  /** The device's own address. */
  setMac(u8: Uint8Array, at: number): void {
    for (let i = 0; i < 6; i++) this.#mac[i] = u8[at + i];
  }

  /** Lets frames of a VLAN through, or no longer; `id` below 4096. */
  setVlan(id: number, pass: boolean): void {
    const bit = 1 << (id & 7);
    if (pass) this.#vlans[id >>> 3] |= bit;
    else this.#vlans[id >>> 3] &= ~bit;
  }

  hasVlan(id: number): boolean {
    return (this.#vlans[id >>> 3] & (1 << (id & 7))) !== 0;
  }

  /** True when the frame with its destination address at `dstAt` passes; `vlan` is its VLAN id, -1 for none. */
  accepts(u8: Uint8Array, dstAt: number, vlan: number): boolean {
    if (this.promiscuous) return true;
    if (vlan >= 0 && this.#filterVlans && !this.hasVlan(vlan)) return false;
    if ((u8[dstAt] & 1) === 0) {
      if (this.noUnicast) return false;
      return this.allUnicast || sameMac(this.#mac, 0, u8, dstAt) || this.unicast.has(u8, dstAt);
    }
    if (isBroadcast(u8, dstAt)) return !this.noBroadcast;
    if (this.noMulticast) return false;
    return this.allMulticast || this.multicast.has(u8, dstAt);
  }
}

function isBroadcast(u8: Uint8Array, at: number): boolean {
  return (u8[at] & u8[at + 1] & u8[at + 2] & u8[at + 3] & u8[at + 4] & u8[at + 5]) === 0xff;
}
