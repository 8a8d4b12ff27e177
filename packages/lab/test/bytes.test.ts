import { readFileSync } from 'node:fs';
import { readCapture } from '@vhostlab/packet';
import { BACKENDS, FrameHasher } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { loadCapture } from '../src/index.ts';
import { runRows } from './support/run.ts';

const FILE = new URL('../../../examples/traffic/mixed.pcapng', import.meta.url);
const capture = loadCapture(readFileSync(FILE), 'mixed.pcapng');

/** Hash of the file's own frames, read here apart from any traffic source. */
function hashOfFile(
  skip: (packet: number) => boolean = () => false,
  change?: (packet: number, frame: Uint8Array) => Uint8Array,
) {
  const hasher = new FrameHasher();
  const reader = readCapture(capture.bytes);
  for (let packet = 0; reader.next(); packet++) {
    if (skip(packet)) continue;
    const frame = capture.bytes.slice(reader.offset, reader.offset + reader.capturedLength);
    const changed = change?.(packet, frame) ?? frame;
    hasher.add(changed, 0, changed.length);
  }
  return hasher.digest();
}

describe('bytes of a capture', () => {
  for (const workload of ['tx', 'rx'] as const) {
    for (const ring of ['split', 'packed'] as const) {
      it(`${workload} over ${ring} rings: every back end delivers the file`, async () => {
        const rows = await runRows({ workloads: [workload], ring }, { capture });
        expect(rows.map(({ backend }) => backend)).toEqual([...BACKENDS]);
        for (const row of rows) {
          expect(row.frames, row.backend).toEqual({
            offered: capture.frames,
            delivered: capture.frames,
            dropped: 0,
          });
          expect(row.frames_sha256, row.backend).toBe(hashOfFile());
        }
      });
    }
  }

  const packet = 20;

  it('a byte flipped in guest memory before the fetch changes that frame alone', async () => {
    const value = 40;
    const rows = await runRows(
      { workloads: ['tx'] },
      { capture, change: (config) => ({ ...config, faults: [{ packet, action: 'flip', value }] }) },
    );
    const expected = hashOfFile(undefined, (n, frame) => {
      if (n === packet) frame[value] ^= 0xff;
      return frame;
    });
    for (const row of rows) expect(row.frames_sha256, row.backend).toBe(expected);
  });

  it('a shortened descriptor truncates that frame alone', async () => {
    const value = 33;
    const rows = await runRows(
      { workloads: ['tx'] },
      { capture, change: (config) => ({ ...config, faults: [{ packet, action: 'shorten', value }] }) },
    );
    const expected = hashOfFile(undefined, (n, frame) => (n === packet ? frame.subarray(0, value) : frame));
    for (const row of rows) expect(row.frames_sha256, row.backend).toBe(expected);
  });

  it('an unmapped page drops that frame with the reason of the translation', async () => {
    const rows = await runRows(
      { workloads: ['tx'] },
      { capture, change: (config) => ({ ...config, faults: [{ packet, action: 'unmap', value: 0 }] }) },
    );
    for (const row of rows) {
      expect(row.drops, row.backend).toEqual({ unmapped: 1 });
      expect(row.frames_sha256, row.backend).toBe(hashOfFile((n) => n === packet));
    }
  });
});
