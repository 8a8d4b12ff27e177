import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  decodeHeader,
  decodeMessage,
  encodeMessage,
  encodePayload,
  explainMessage,
  FRONT,
  type FrontName,
  frontMessageNamed,
  type MemRegion,
  type Payload,
} from '../src/index.ts';

const FOLDER = new URL('./golden/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

interface Line {
  name: FrontName;
  flags: number;
  size: number;
  fds: number;
  /** As it stands in the transcript, without the time. */
  text: string;
  fields: string;
  regions: MemRegion[];
}

/** `key=value` pairs; values may be decimal or hexadecimal, `256(0x100)` is 256. */
function values(text: string): Record<string, bigint> {
  const found = [...text.matchAll(/(\w+)=(0x[0-9a-f]+|\d+)/g)];
  return Object.fromEntries(found.map(([, key, value]) => [key, BigInt(value)]));
}

function regionOf(text: string): MemRegion {
  const { gpa, size, uva, off } = values(text);
  return { guestPhysAddr: gpa, memorySize: size, userspaceAddr: uva, mmapOffset: off };
}

function parse(file: string): Line[] {
  const lines: Line[] = [];
  for (const raw of readFileSync(new URL(file, FOLDER), 'utf8').split('\n')) {
    if (raw.startsWith('     region')) {
      lines.at(-1)!.regions.push(regionOf(raw));
      continue;
    }
    const match = /^\d+\.\d+ (([A-Z_]+) +flags=(0x[0-9a-f]+) size=(\d+) fds=(\d+) ?(.*))$/.exec(raw);
    if (match === null) {
      expect(raw).toMatch(/^(\d+\.\d+ KICK vq\d+|EOF|)$/);
      continue;
    }
    const [, text, name, flags, size, fds, fields] = match;
    expect(FRONT).toHaveProperty(name);
    lines.push({
      name: name as FrontName,
      flags: Number(flags),
      size: Number(size),
      fds: Number(fds),
      text: text.trimEnd(),
      fields,
      regions: [],
    });
  }
  return lines;
}

/** The payload that the fields of a line describe. */
function payloadOf(line: Line): Payload {
  const kind = frontMessageNamed(line.name).payload;
  const v = values(line.fields);
  switch (kind) {
    case 'empty':
      return { kind };
    case 'u64':
      return { kind, value: BigInt(line.fields) };
    case 'vring-fd':
      return { kind, index: Number(v.vq), noFd: v.nofd === 1n, reserved: 0n };
    case 'state':
      return { kind, index: Number(v.vq), num: Number(v.num) };
    case 'addr':
      return {
        kind,
        index: Number(v.vq),
        flags: Number(v.flags),
        desc: v.desc,
        used: v.used,
        avail: v.avail,
        logGuestAddr: v.log,
      };
    case 'mem-table':
      return { kind, regions: line.regions };
    case 'mem-region':
      return { kind, region: regionOf(line.fields) };
    case 'log':
      return { kind: 'opaque', bytes: Uint8Array.from(Buffer.from(line.fields, 'hex')) };
    default:
      throw new Error(`no transcript has a ${kind} payload`);
  }
}

test('there are four transcripts with messages', () => {
  expect(FILES).toHaveLength(4);
  expect(FILES.map((file) => parse(file).length)).toEqual([32, 22, 47, 30]);
});

test.each(FILES)('%s: encoding, decoding and explaining gives back every line', (file) => {
  for (const line of parse(file)) {
    const needReply = (line.flags & 8) !== 0;
    const bytes = encodeMessage({ request: FRONT[line.name], payload: payloadOf(line), needReply });
    expect(decodeHeader(bytes)).toEqual({ request: FRONT[line.name], flags: line.flags, size: line.size });

    const message = decodeMessage(bytes, 'main', 'request', line.fds);
    expect(message.problems).toEqual([]);
    const [head, ...rest] = explainMessage(message).split('\n');
    if (line.name === 'SET_LOG_BASE') {
      // the transcript has the bytes, the explanation the fields
      expect(line.fields).toBe(Buffer.from(encodePayload(message.payload!)).toString('hex'));
      expect(head).toBe('SET_LOG_BASE           flags=0x1 size=16 fds=1 mmap_size=0x2000 mmap_offset=0x0');
    } else {
      expect(head.startsWith(line.text)).toBe(true);
      // what follows are names of bits, and the number of regions
      expect(head.slice(line.text.length)).toMatch(/^(( [A-Z_0-9]+)*| regions=1)$/);
    }
    expect(rest.map(regionOf)).toEqual(line.regions);
  }
});
