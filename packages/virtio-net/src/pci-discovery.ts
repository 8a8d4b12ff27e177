import {
  CAP_COMMON,
  CAP_DEVICE,
  CAP_ISR,
  CAP_NOTIFY,
  PCI_CAP,
  PCI_CAP_MSIX,
  PCI_CAP_VENDOR,
  PCI_CONFIG_BYTES,
  PCI_CONFIG_WINDOW,
  type PciBarLayout,
} from './pci-layout.ts';
import { type RegisterProcedure, readRegister, writeRegister } from './register-access.ts';

/** A BAR as a driver found it; `msixCapability` is the capability's place in configuration space, 0 for none. */
export interface DiscoveredLayout extends PciBarLayout {
  readonly msixCapability: number;
}

/** A list longer than this has a loop. */
const MAX_CAPABILITIES = 48;

/**
 * Walks the capability list of the function in PCI configuration space (virtio 1.3, 4.1.4). Undefined when it
 * is no modern virtio network function or lacks a structure that a driver needs.
 */
export function* discoverVirtioPci(): RegisterProcedure<DiscoveredLayout | undefined> {
  const ids = yield* readRegister(PCI_CONFIG_WINDOW, 4);
  if (ids !== 0x1041_1af4) return undefined;
  const found = new Map<number, { offset: number; length: number }>();
  let notifyMultiplier = 0;
  let msixCapability = 0;
  let at = yield* readRegister(PCI_CONFIG_WINDOW + 0x34, 1);
  for (let seen = 0; at >= 0x40 && at < PCI_CONFIG_BYTES && seen < MAX_CAPABILITIES; seen++) {
    const cap = PCI_CONFIG_WINDOW + at;
    const id = yield* readRegister(cap, 1);
    if (id === PCI_CAP_MSIX) msixCapability = at;
    if (id === PCI_CAP_VENDOR) {
      const type = yield* readRegister(cap + PCI_CAP.cfg_type, 1);
      const offset = yield* readRegister(cap + PCI_CAP.offset, 4);
      const length = yield* readRegister(cap + PCI_CAP.length, 4);
      if (!found.has(type)) {
        found.set(type, { offset, length });
        if (type === CAP_NOTIFY) notifyMultiplier = yield* readRegister(cap + PCI_CAP.$size, 4);
      }
    }
    at = yield* readRegister(cap + PCI_CAP.cap_next, 1);
  }
  const common = found.get(CAP_COMMON);
  const notify = found.get(CAP_NOTIFY);
  const isr = found.get(CAP_ISR);
  const device = found.get(CAP_DEVICE);
  if (common === undefined || notify === undefined || isr === undefined || device === undefined) {
    return undefined;
  }
  const msix = yield* readMsix(msixCapability);
  return {
    common: common.offset,
    isr: isr.offset,
    device: device.offset,
    deviceBytes: device.length,
    notify: notify.offset,
    notifyBytes: notify.length,
    notifyMultiplier,
    msixCapability,
    ...msix,
    barBytes: yield* readBarBytes(),
  };
}

function* readMsix(capability: number): RegisterProcedure<{
  vectors: number;
  msixTable: number;
  msixPba: number;
}> {
  if (capability === 0) return { vectors: 0, msixTable: 0, msixPba: 0 };
  const cap = PCI_CONFIG_WINDOW + capability;
  const vectors = ((yield* readRegister(cap + 2, 2)) & 0x7ff) + 1;
  const msixTable = ((yield* readRegister(cap + 4, 4)) & ~7) >>> 0;
  const msixPba = ((yield* readRegister(cap + 8, 4)) & ~7) >>> 0;
  return { vectors, msixTable, msixPba };
}

/** Size of BAR 0 (PCI 3.0, 6.2.5.1): write all ones, read back, put the old value back. */
function* readBarBytes(): RegisterProcedure<number> {
  const bar = PCI_CONFIG_WINDOW + 0x10;
  const old = yield* readRegister(bar, 4);
  yield* writeRegister(bar, 4, 0xffff_ffff);
  const mask = ((yield* readRegister(bar, 4)) & ~0xf) >>> 0;
  yield* writeRegister(bar, 4, old);
  return mask === 0 ? 0 : 0x1_0000_0000 - mask;
}
