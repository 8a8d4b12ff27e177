import {
  CONFIG,
  INFLIGHT,
  IOTLB,
  LOG,
  MEM_REGION,
  MEM_SINGLE,
  MEM_TABLE,
  TRANSFER,
  UUID,
  VRING_ADDR,
  VRING_AREA,
  VRING_STATE,
} from './layouts.ts';
import type { MemRegion, Payload } from './payload.ts';

function buffer(bytes: number): { bytes: Uint8Array; view: DataView } {
  const made = new Uint8Array(bytes);
  return { bytes: made, view: new DataView(made.buffer) };
}

function word(value: bigint): Uint8Array {
  const { bytes, view } = buffer(8);
  view.setBigUint64(0, value, true);
  return bytes;
}

/**
 * The bytes of a payload, exactly as it says: no check of ranges beyond the width of the fields, because tests and the
 * conformance kit send wrong ones on purpose.
 */
export function encodePayload(payload: Payload): Uint8Array {
  switch (payload.kind) {
    case 'empty':
      return new Uint8Array(0);
    case 'u64':
      return word(payload.value);
    case 'vring-fd':
      return word(vringWord(payload.index, payload.noFd) | (payload.reserved << 9n));
    case 'state-fd':
      return word(vringWord(payload.error, payload.noFd));
    case 'mac': {
      const bytes = new Uint8Array(8);
      bytes.set(payload.mac.subarray(0, 6));
      return bytes;
    }
    case 'state':
      return pair(VRING_STATE.$size, payload.index, payload.num);
    case 'transfer':
      return pair(TRANSFER.$size, payload.direction, payload.phase);
    case 'addr':
      return encodeAddr(payload);
    case 'mem-table': {
      const { bytes, view } = buffer(MEM_TABLE.$size + payload.regions.length * MEM_REGION.$size);
      view.setUint32(MEM_TABLE.nregions, payload.regions.length, true);
      payload.regions.forEach((region, i) => {
        writeRegion(view, MEM_TABLE.$size + i * MEM_REGION.$size, region);
      });
      return bytes;
    }
    case 'mem-region': {
      const { bytes, view } = buffer(MEM_SINGLE.$size + MEM_REGION.$size);
      writeRegion(view, MEM_SINGLE.$size, payload.region);
      return bytes;
    }
    case 'log': {
      const { bytes, view } = buffer(LOG.$size);
      view.setBigUint64(LOG.mmap_size, payload.mmapSize, true);
      view.setBigUint64(LOG.mmap_offset, payload.mmapOffset, true);
      return bytes;
    }
    case 'iotlb': {
      const { bytes, view } = buffer(IOTLB.$size);
      view.setBigUint64(IOTLB.iova, payload.iova, true);
      view.setBigUint64(IOTLB.size, payload.size, true);
      view.setBigUint64(IOTLB.uaddr, payload.uaddr, true);
      view.setUint8(IOTLB.perm, payload.perm);
      view.setUint8(IOTLB.type, payload.type);
      return bytes;
    }
    case 'config': {
      const { bytes, view } = buffer(CONFIG.$size + payload.region.length);
      view.setUint32(CONFIG.offset, payload.offset, true);
      view.setUint32(CONFIG.size, payload.size, true);
      view.setUint32(CONFIG.flags, payload.flags, true);
      bytes.set(payload.region, CONFIG.$size);
      return bytes;
    }
    case 'vring-area': {
      const { bytes, view } = buffer(VRING_AREA.$size);
      view.setBigUint64(VRING_AREA.u64, vringWord(payload.index, payload.noFd), true);
      view.setBigUint64(VRING_AREA.size, payload.size, true);
      view.setBigUint64(VRING_AREA.offset, payload.offset, true);
      return bytes;
    }
    case 'inflight': {
      const { bytes, view } = buffer(INFLIGHT.$size);
      view.setBigUint64(INFLIGHT.mmap_size, payload.mmapSize, true);
      view.setBigUint64(INFLIGHT.mmap_offset, payload.mmapOffset, true);
      view.setUint16(INFLIGHT.num_queues, payload.numQueues, true);
      view.setUint16(INFLIGHT.queue_size, payload.queueSize, true);
      return bytes;
    }
    case 'uuid': {
      const bytes = new Uint8Array(UUID.$size);
      bytes.set(payload.uuid.subarray(0, UUID.$size));
      return bytes;
    }
    case 'opaque':
      return payload.bytes.slice();
  }
}

/** The u64 of KICK, CALL, ERR and of device state replies: a number below 256 and the no-descriptor bit. */
function vringWord(low: number, noFd: boolean): bigint {
  return BigInt(low & 0xff) | (noFd ? 0x100n : 0n);
}

function pair(size: number, first: number, second: number): Uint8Array {
  const { bytes, view } = buffer(size);
  view.setUint32(0, first, true);
  view.setUint32(4, second, true);
  return bytes;
}

function encodeAddr(payload: Extract<Payload, { kind: 'addr' }>): Uint8Array {
  const { bytes, view } = buffer(VRING_ADDR.$size);
  view.setUint32(VRING_ADDR.index, payload.index, true);
  view.setUint32(VRING_ADDR.flags, payload.flags, true);
  view.setBigUint64(VRING_ADDR.desc_user_addr, payload.desc, true);
  view.setBigUint64(VRING_ADDR.used_user_addr, payload.used, true);
  view.setBigUint64(VRING_ADDR.avail_user_addr, payload.avail, true);
  view.setBigUint64(VRING_ADDR.log_guest_addr, payload.logGuestAddr, true);
  return bytes;
}

function writeRegion(view: DataView, at: number, region: MemRegion): void {
  view.setBigUint64(at + MEM_REGION.guest_phys_addr, region.guestPhysAddr, true);
  view.setBigUint64(at + MEM_REGION.memory_size, region.memorySize, true);
  view.setBigUint64(at + MEM_REGION.userspace_addr, region.userspaceAddr, true);
  view.setBigUint64(at + MEM_REGION.mmap_offset, region.mmapOffset, true);
}
