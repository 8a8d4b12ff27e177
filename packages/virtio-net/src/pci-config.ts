import type { MsixTable } from './msix.ts';
import {
  CAP_COMMON,
  CAP_DEVICE,
  CAP_ISR,
  CAP_NOTIFY,
  CAP_PCI_CFG,
  COMMON_CONFIG,
  PCI_CAP,
  PCI_CAP_MSIX,
  PCI_CAP_VENDOR,
  PCI_CONFIG_BYTES,
  type PciBarLayout,
} from './pci-layout.ts';

const COMMAND = 0x04;
const STATUS_CAPABILITIES = 0x10;
const BAR0 = 0x10;
const CAPABILITIES = 0x34;
const FIRST_CAPABILITY = 0x40;
/** I/O, memory, bus master and interrupt disable: the bits of `command` that this function keeps. */
const COMMAND_BITS = 0x0407;
const BAR_MEMORY_64 = 0x4;

/** Access to a register file, as the PCI_CFG capability uses it. */
interface BarAccess {
  readRegister(offset: number, width: number): number;
  writeRegister(offset: number, width: number, value: number): void;
}

/**
 * The 256 bytes of PCI configuration space of a virtio network function with one 64-bit memory BAR: vendor
 * capabilities for the five structures (virtio 1.3, 4.1.4) and MSI-X.
 */
export class PciConfigSpace {
  readonly #bytes = new Uint8Array(PCI_CONFIG_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #layout: PciBarLayout;
  readonly #msix: MsixTable;
  readonly #bar: BarAccess;
  #next = FIRST_CAPABILITY;
  #link = CAPABILITIES;
  readonly #msixCap: number;
  readonly #pciCfgCap: number;

  constructor(layout: PciBarLayout, msix: MsixTable, bar: BarAccess) {
    this.#layout = layout;
    this.#msix = msix;
    this.#bar = bar;
    const view = this.#view;
    view.setUint16(0x00, 0x1af4, true);
    view.setUint16(0x02, 0x1041, true);
    view.setUint16(0x06, STATUS_CAPABILITIES, true);
    this.#bytes[0x08] = 1;
    this.#bytes[0x0b] = 0x02;
    this.#bytes[BAR0] = BAR_MEMORY_64;
    view.setUint16(0x2c, 0x1af4, true);
    view.setUint16(0x2e, 0x0040, true);
    this.#vendorCap(CAP_COMMON, layout.common, COMMON_CONFIG.$size, 0);
    const notify = this.#vendorCap(CAP_NOTIFY, layout.notify, layout.notifyBytes, 4);
    view.setUint32(notify + PCI_CAP.$size, layout.notifyMultiplier, true);
    this.#vendorCap(CAP_ISR, layout.isr, 1, 0);
    this.#vendorCap(CAP_DEVICE, layout.device, layout.deviceBytes, 0);
    this.#pciCfgCap = this.#vendorCap(CAP_PCI_CFG, 0, 0, 4);
    this.#msixCap = layout.vectors === 0 ? 0 : this.#msixCapability();
  }

  /** A copy of all 256 bytes. */
  copyBytes(): Uint8Array {
    return this.#bytes.slice();
  }

  /** Driver may be reached and may reach memory: the memory and bus master bits of `command`. */
  get busMaster(): boolean {
    return (this.#bytes[COMMAND] & 6) === 6;
  }

  /** Little-endian value of `width` bytes (1, 2 or 4); 0 outside. */
  read(offset: number, width: number): number {
    const data = this.#pciCfgCap + PCI_CAP.$size;
    if (offset >= data && offset < data + 4) return this.#windowAccess(-1);
    return this.#load(offset, width);
  }

  /** Stores what a driver may store; the rest of the write has no effect. */
  write(offset: number, width: number, value: number): void {
    const cfg = this.#pciCfgCap;
    if (offset === COMMAND) {
      this.#view.setUint16(COMMAND, value & COMMAND_BITS, true);
    } else if (offset === BAR0 || offset === BAR0 + 4) {
      if (width === 4) this.#writeBar(offset, value);
    } else if (this.#msixCap !== 0 && offset === this.#msixCap + 2 && width === 2) {
      const fixed = this.#view.getUint16(offset, true) & 0x3fff;
      this.#view.setUint16(offset, fixed | (value & 0xc000), true);
      this.#msix.control((value & 0x8000) !== 0, (value & 0x4000) !== 0);
    } else if (offset === cfg + PCI_CAP.bar && width === 1) {
      this.#bytes[offset] = value;
    } else if ((offset === cfg + PCI_CAP.offset || offset === cfg + PCI_CAP.length) && width === 4) {
      this.#view.setUint32(offset, value, true);
    } else if (offset === cfg + PCI_CAP.$size) {
      this.#windowAccess(value);
    }
  }

  /** Function-level reset: command and MSI-X are off again; the BAR keeps its place. */
  reset(): void {
    this.#view.setUint16(COMMAND, 0, true);
    this.#msix.reset();
    if (this.#msixCap !== 0) {
      this.#view.setUint16(this.#msixCap + 2, this.#layout.vectors - 1, true);
    }
  }

  #load(offset: number, width: number): number {
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + (this.#bytes[offset + i] ?? 0);
    return value;
  }

  /** Writing all ones and reading back gives the size, as PCI 3.0, 6.2.5.1 defines it. */
  #writeBar(offset: number, value: number): void {
    if (offset === BAR0) {
      this.#view.setUint32(BAR0, ((value & ~(this.#layout.barBytes - 1)) | BAR_MEMORY_64) >>> 0, true);
    } else {
      this.#view.setUint32(offset, value, true);
    }
  }

  /** Access through PCI_CFG (virtio 1.3, 4.1.4.9): `value` below 0 reads. Wrong windows read 0. */
  #windowAccess(value: number): number {
    const cap = this.#pciCfgCap;
    const offset = this.#view.getUint32(cap + PCI_CAP.offset, true);
    const width = this.#view.getUint32(cap + PCI_CAP.length, true);
    const aligned = (width === 1 || width === 2 || width === 4) && offset % width === 0;
    if (!aligned || this.#bytes[cap + PCI_CAP.bar] !== 0 || offset + width > this.#layout.barBytes) return 0;
    if (value < 0) return this.#bar.readRegister(offset, width);
    this.#bar.writeRegister(offset, width, width === 4 ? value : value & (2 ** (width * 8) - 1));
    return 0;
  }

  #capability(id: number, bytes: number): number {
    const at = this.#next;
    this.#bytes[this.#link] = at;
    this.#bytes[at] = id;
    this.#link = at + 1;
    this.#next = at + Math.ceil(bytes / 4) * 4;
    return at;
  }

  #vendorCap(type: number, offset: number, length: number, extra: number): number {
    const at = this.#capability(PCI_CAP_VENDOR, PCI_CAP.$size + extra);
    this.#bytes[at + PCI_CAP.cap_len] = PCI_CAP.$size + extra;
    this.#bytes[at + PCI_CAP.cfg_type] = type;
    this.#view.setUint32(at + PCI_CAP.offset, offset, true);
    this.#view.setUint32(at + PCI_CAP.length, length, true);
    return at;
  }

  /** MSI-X capability (PCI 3.0, 6.8.2): size of the table, and where table and pending bits are. */
  #msixCapability(): number {
    const at = this.#capability(PCI_CAP_MSIX, 12);
    this.#view.setUint16(at + 2, this.#layout.vectors - 1, true);
    this.#view.setUint32(at + 4, this.#layout.msixTable, true);
    this.#view.setUint32(at + 8, this.#layout.msixPba, true);
    return at;
  }
}
