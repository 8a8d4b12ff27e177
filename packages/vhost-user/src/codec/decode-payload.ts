import { decode } from '@vhostlab/layout';
import type { PayloadKind } from '../registry/kinds.ts';
import {
  CONFIG,
  INFLIGHT,
  IOTLB,
  LOG,
  MAX_CONFIG_BYTES,
  MAX_TABLE_REGIONS,
  MEM_REGION,
  MEM_SINGLE,
  MEM_TABLE,
  TRANSFER,
  UUID,
  VRING_ADDR,
  VRING_AREA,
  VRING_STATE,
} from './layouts.ts';
import { EMPTY, type MemRegion, type Payload } from './payload.ts';
import { CLAUSE, type Problem, problem } from './problem.ts';

/** A payload, or what is wrong with its bytes. */
export type PayloadResult = Payload | Problem;

/** True when the bytes were no such payload. */
export function isProblem(result: PayloadResult): result is Problem {
  return 'code' in result;
}

const FIXED_SIZES: Partial<Record<PayloadKind, number>> = {
  empty: 0,
  u64: 8,
  'vring-fd': 8,
  mac: 8,
  'state-fd': 8,
  state: VRING_STATE.$size,
  addr: VRING_ADDR.$size,
  'mem-region': MEM_SINGLE.$size + MEM_REGION.$size,
  log: LOG.$size,
  iotlb: IOTLB.$size,
  'vring-area': VRING_AREA.$size,
  inflight: INFLIGHT.$size,
  transfer: TRANSFER.$size,
  uuid: UUID.$size,
};

/** Size of a payload kind that always has the same, in bytes; undefined for tables, configurations and opaque bytes. */
export function fixedSize(kind: PayloadKind): number | undefined {
  return FIXED_SIZES[kind];
}

function wrongSize(kind: PayloadKind, has: number, wants: number | string): Problem {
  return problem('size', CLAUSE.payload, `a ${kind} payload has ${has} bytes, ${wants} are needed`);
}

/** Reads one payload of `kind` that fills `bytes`. `isReply`: a configuration may be cut off after its head. */
export function decodePayload(kind: PayloadKind, bytes: Uint8Array, isReply: boolean): PayloadResult {
  const wants = FIXED_SIZES[kind];
  if (wants !== undefined && bytes.length !== wants) return wrongSize(kind, bytes.length, wants);
  switch (kind) {
    case 'empty':
      return EMPTY;
    case 'u64':
      return { kind, value: word(bytes) };
    case 'vring-fd': {
      const value = word(bytes);
      return { kind, index: Number(value & 0xffn), noFd: (value & 0x100n) !== 0n, reserved: value >> 9n };
    }
    case 'mac':
      return { kind, mac: bytes.slice(0, 6) };
    case 'state-fd': {
      const value = word(bytes);
      return { kind, error: Number(value & 0xffn), noFd: (value & 0x100n) !== 0n };
    }
    case 'state':
      return { kind, ...decode(VRING_STATE, bytes, 0) };
    case 'addr':
      return decodeAddr(bytes);
    case 'mem-table':
      return decodeTable(bytes);
    case 'mem-region':
      return { kind, region: decodeRegion(bytes, MEM_SINGLE.$size) };
    case 'log': {
      const log = decode(LOG, bytes, 0);
      return { kind, mmapSize: log.mmap_size, mmapOffset: log.mmap_offset };
    }
    case 'iotlb':
      return { kind, ...decode(IOTLB, bytes, 0) };
    case 'config':
      return decodeConfig(bytes, isReply);
    case 'vring-area': {
      const area = decode(VRING_AREA, bytes, 0);
      const noFd = (area.u64 & 0x100n) !== 0n;
      return { kind, index: Number(area.u64 & 0xffn), noFd, size: area.size, offset: area.offset };
    }
    case 'inflight': {
      const value = decode(INFLIGHT, bytes, 0);
      return {
        kind,
        mmapSize: value.mmap_size,
        mmapOffset: value.mmap_offset,
        numQueues: value.num_queues,
        queueSize: value.queue_size,
      };
    }
    case 'transfer':
      return { kind, ...decode(TRANSFER, bytes, 0) };
    case 'uuid':
      return { kind, uuid: bytes.slice(0, 16) };
    case 'opaque':
      return { kind, bytes: bytes.slice() };
  }
}

function word(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

function decodeAddr(bytes: Uint8Array): Payload {
  const addr = decode(VRING_ADDR, bytes, 0);
  return {
    kind: 'addr',
    index: addr.index,
    flags: addr.flags,
    desc: addr.desc_user_addr,
    used: addr.used_user_addr,
    avail: addr.avail_user_addr,
    logGuestAddr: addr.log_guest_addr,
  };
}

function decodeRegion(bytes: Uint8Array, at: number): MemRegion {
  const region = decode(MEM_REGION, bytes, at);
  return {
    guestPhysAddr: region.guest_phys_addr,
    memorySize: region.memory_size,
    userspaceAddr: region.userspace_addr,
    mmapOffset: region.mmap_offset,
  };
}

function decodeTable(bytes: Uint8Array): PayloadResult {
  if (bytes.length < MEM_TABLE.$size)
    return wrongSize('mem-table', bytes.length, `at least ${MEM_TABLE.$size}`);
  const count = decode(MEM_TABLE, bytes, 0).nregions;
  if (count > MAX_TABLE_REGIONS) {
    return problem(
      'region-count',
      CLAUSE.regions,
      `a memory table names ${count} regions, ${MAX_TABLE_REGIONS} are allowed`,
    );
  }
  const wants = MEM_TABLE.$size + count * MEM_REGION.$size;
  if (bytes.length !== wants) return wrongSize('mem-table', bytes.length, `${wants} (${count} regions)`);
  const regions = Array.from({ length: count }, (_, i) =>
    decodeRegion(bytes, MEM_TABLE.$size + i * MEM_REGION.$size),
  );
  return { kind: 'mem-table', regions };
}

function decodeConfig(bytes: Uint8Array, isReply: boolean): PayloadResult {
  if (bytes.length < CONFIG.$size) return wrongSize('config', bytes.length, `at least ${CONFIG.$size}`);
  const { offset, size, flags } = decode(CONFIG, bytes, 0);
  if (isReply && bytes.length === CONFIG.$size) {
    return { kind: 'config', offset, size, flags, region: new Uint8Array(0) };
  }
  if (size > MAX_CONFIG_BYTES) {
    return problem(
      'size',
      CLAUSE.payload,
      `a config payload names ${size} bytes of configuration, ${MAX_CONFIG_BYTES} are allowed`,
    );
  }
  const wants = CONFIG.$size + size;
  if (bytes.length !== wants) {
    return wrongSize('config', bytes.length, `${wants} (${size} bytes of configuration)`);
  }
  return { kind: 'config', offset, size, flags, region: bytes.slice(CONFIG.$size) };
}
