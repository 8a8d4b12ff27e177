import { FRONT, type FrontName, frontMessageNamed, type MemRegion, type Payload } from '../src/index.ts';

/** One message of a captured handshake. */
export interface Line {
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

/** The region that the fields of a line describe. */
export function regionOf(text: string): MemRegion {
  const { gpa, size, uva, off } = values(text);
  return { guestPhysAddr: gpa, memorySize: size, userspaceAddr: uva, mmapOffset: off };
}

/** The messages of a transcript; throws on a line that is neither a message nor one of the known notes. */
export function parseTranscript(text: string): Line[] {
  const lines: Line[] = [];
  for (const raw of text.split('\n')) {
    if (raw.startsWith('     region')) {
      lines.at(-1)!.regions.push(regionOf(raw));
      continue;
    }
    const match = /^\d+\.\d+ (([A-Z_]+) +flags=(0x[0-9a-f]+) size=(\d+) fds=(\d+) ?(.*))$/.exec(raw);
    if (match === null) {
      if (!/^(\d+\.\d+ KICK vq\d+|EOF|)$/.test(raw)) throw new Error(`not a line of a transcript: ${raw}`);
      continue;
    }
    const [, line, name, flags, size, fds, fields] = match;
    if (!(name in FRONT)) throw new Error(`no message is called ${name}`);
    lines.push({
      name: name as FrontName,
      flags: Number(flags),
      size: Number(size),
      fds: Number(fds),
      text: line.trimEnd(),
      fields,
      regions: [],
    });
  }
  return lines;
}

/** The payload that the fields of a line describe. */
export function payloadOf(line: Line): Payload {
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
