import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  FIELDS,
  FlowTables,
  flowOfKey,
  formatDatapathActions,
  formatMegaflow,
  keyOfFlow,
  MacTable,
  parseFlow,
  parseMatch,
  translate,
} from '../src/index.ts';

/**
 * Recorded from Open vSwitch 3.1.0 (Debian 3.1.0-2+deb12u1): random pipelines of 80 rules in 4 tables, loaded with
 * ovs-ofctl, and the "Megaflow:" and "Datapath actions:" lines of ofproto/trace for random packets.
 */
interface Recorded {
  flows: string[];
  traces: [packet: string, megaflow: string, actions: string][];
}

const FIXTURE = new URL('./fixtures/ovs-3.1.0-traces.jsonl.gz', import.meta.url);
const recorded: Recorded[] = gunzipSync(readFileSync(FIXTURE))
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

function keyOfText(packet: string): Uint32Array {
  const { match } = parseMatch(packet);
  const [{ word }] = FIELDS.vlan_tci.parts;
  if (match.mask[word] !== 0) match.value[word] = (match.value[word] | 0x8100_0000) >>> 0;
  return keyOfFlow(match.value);
}

describe('megaflows and datapath actions equal those of Open vSwitch 3.1.0', () => {
  it('has a record worth comparing with', () => {
    expect(recorded.length).toBe(20);
    expect(recorded.reduce((sum, { traces }) => sum + traces.length, 0)).toBe(500);
  });

  it.each(recorded.map((one, i) => [i, one] as const))('pipeline %i', (_i, { flows, traces }) => {
    const tables = new FlowTables();
    for (const flow of flows) tables.add(parseFlow(flow));
    const view = { tables, macs: new MacTable(), ports: [1, 2, 3, 4] };
    for (const [packet, megaflow, actions] of traces) {
      const key = keyOfText(packet);
      const translation = translate(view, key);
      expect(formatMegaflow(flowOfKey(key), translation.wildcards)).toBe(megaflow);
      // A TTL that ran out goes to a controller there; here it is counted.
      const expected = actions.replace(/,?userspace\([^)]*\)\)/, '') || 'drop';
      expect(formatDatapathActions(translation.actions, key)).toBe(expected);
      expect(translation.fault === 'ttl').toBe(actions.includes('userspace'));
    }
  });
});
