import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PcapngWriter, PcapWriter, readCapture } from '../src/index.ts';

const FILE = new URL('../../../examples/traffic/mixed.pcapng', import.meta.url).pathname;
let folder = '';

/** Captured length, wire length and bytes of every frame, as tshark sees the file. */
function dissect(file: string): { captured: number; original: number; protocols: string }[] {
  const fields = ['frame.cap_len', 'frame.len', 'frame.protocols'].flatMap((field) => ['-e', field]);
  const text = execFileSync('tshark', ['-r', file, '-T', 'fields', ...fields], { encoding: 'utf8' });
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
    .map(([captured, original, protocols]) => ({
      captured: Number(captured),
      original: Number(original),
      protocols,
    }));
}

function frames(bytes: Uint8Array): { captured: number; original: number }[] {
  const list: { captured: number; original: number }[] = [];
  const reader = readCapture(bytes);
  while (reader.next()) list.push({ captured: reader.capturedLength, original: reader.originalLength });
  return list;
}

describe('tshark', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vhostlab-tshark-'));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reads the frames of the example capture that we read, and finds the protocols in it', () => {
    const seen = dissect(FILE);
    expect(seen.map(({ captured, original }) => ({ captured, original }))).toEqual(
      frames(readFileSync(FILE)),
    );
    const protocols = new Set(seen.flatMap((frame) => frame.protocols.split(':')));
    for (const name of ['vlan', 'ipv6', 'tcp', 'udp', 'icmp', 'arp', 'sctp', 'vxlan', 'geneve', 'gre']) {
      expect(protocols, name).toContain(name);
    }
  });

  it('reads what our writers write', () => {
    const payload = Uint8Array.from({ length: 90 }, (_, i) => i);
    const pcap = new PcapWriter();
    const pcapng = new PcapngWriter();
    pcapng.addInterface({});
    for (let i = 0; i < 5; i++) {
      const frame = {
        timestampNs: BigInt(i) * 1_000_000n,
        bytes: payload.subarray(0, 60 + i),
        originalLength: 90 + i,
      };
      pcap.write(frame);
      pcapng.write(frame);
    }
    for (const [name, bytes] of [
      ['x.pcap', pcap.take()],
      ['x.pcapng', pcapng.take()],
    ] as const) {
      writeFileSync(join(folder, name), bytes);
      const seen = dissect(join(folder, name));
      expect(seen.map(({ captured, original }) => [captured, original])).toEqual(
        Array.from({ length: 5 }, (_, i) => [60 + i, 90 + i]),
      );
    }
  });
});
