import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  decodeHeader,
  decodeMessage,
  encodeMessage,
  encodePayload,
  explainMessage,
  FRONT,
} from '../src/index.ts';
import { parseTranscript, payloadOf, regionOf } from './transcripts.ts';

const FOLDER = new URL('./golden/', import.meta.url);
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

const parse = (file: string) => parseTranscript(readFileSync(new URL(file, FOLDER), 'utf8'));

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
