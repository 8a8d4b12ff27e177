import { decodeActions, KEY_FIELDS, KEY_WORDS, readField, sameProgram, writeField } from '@vhostlab/datapath';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowTables, MacTable, parseFlow, translate } from '../src/index.ts';
import { Ambiguous, applyActions, type Leaving, NaivePipeline } from './naive.ts';
import { isPossible, neighbour, randomFlows, randomKey } from './random.ts';

const PORTS = [1, 2, 3];

function viewOf(flows: readonly string[], known = true) {
  const tables = new FlowTables();
  for (const flow of flows) tables.add(parseFlow(flow));
  const macs = new MacTable();
  if (known) {
    macs.learn(0, 0x020000000001n, 1, 0);
    macs.learn(100, 0x020000000002n, 2, 0);
  }
  return { tables, macs, ports: PORTS };
}

function naive(view: ReturnType<typeof viewOf>, key: Uint32Array): Leaving[] | undefined {
  try {
    const pipeline = new NaivePipeline(
      { rules: [...view.tables.rules()], ports: PORTS, portOf: (vlan, mac) => view.macs.portOf(vlan, mac) },
      key,
    );
    return pipeline.out;
  } catch (error) {
    if (error instanceof Ambiguous) return undefined;
    throw error;
  }
}

describe('translation', () => {
  it('does what a linear scan over the rules does', () => {
    let compared = 0;
    let withOutput = 0;
    fc.assert(
      fc.property(randomFlows, fc.array(randomKey, { minLength: 20, maxLength: 20 }), (flows, keys) => {
        const view = viewOf(flows);
        for (const key of keys) {
          const expected = naive(view, key);
          if (expected === undefined) continue;
          compared++;
          if (expected.length > 0) withOutput++;
          const { actions } = translate(view, key);
          expect(applyActions(actions, key)).toEqual(expected);
        }
      }),
      { numRuns: 100 },
    );
    expect(compared).toBeGreaterThan(600);
    expect(withOutput).toBeGreaterThan(150);
  });

  it('gives megaflows that are sound: every packet that matches one is translated alike', () => {
    let neighbours = 0;
    fc.assert(
      fc.property(randomFlows, fc.array(randomKey, { minLength: 12, maxLength: 12 }), (flows, keys) => {
        const view = viewOf(flows);
        for (const key of keys) {
          const { megaflow, learn } = translate(view, key);
          for (const other of keys) {
            const near = neighbour(key, megaflow.mask, other);
            if (!isPossible(near)) continue;
            if (near.some((word, w) => word !== key[w])) neighbours++;
            const fresh = translate(view, near);
            if (!sameProgram(fresh.megaflow.program, megaflow.program)) {
              throw new Error(
                `${JSON.stringify(decodeActions(megaflow.program))} for ${[...key]}, but ${JSON.stringify(
                  decodeActions(fresh.megaflow.program),
                )} for ${[...near]} under ${[...megaflow.mask]}\n${flows.join('\n')}`,
              );
            }
            expect(fresh.learn).toEqual(learn);
          }
        }
      }),
      { numRuns: 100 },
    );
    expect(neighbours).toBeGreaterThan(1500);
  });

  it('tells a remade tag from one that only looks like it', () => {
    const view = viewOf(['actions=strip_vlan,push_vlan:0x8100,in_port']);
    const key = new Uint32Array(KEY_WORDS);
    writeField(key, 0, KEY_FIELDS.in_port, 1n);
    writeField(key, 0, KEY_FIELDS.vlan_tci, 0x1000n);
    writeField(key, 0, KEY_FIELDS.vlan_tpid, 0x8100n);
    const { megaflow } = translate(view, key);
    expect(decodeActions(megaflow.program)).toEqual([{ type: 'output', port: 1 }]);
    expect(readField(megaflow.mask, 0, KEY_FIELDS.vlan_tci)).toBe(0xffffn);
    expect(readField(megaflow.mask, 0, KEY_FIELDS.vlan_tpid)).toBe(0xffffn);
  });

  it('answers removed rules as if they had never been there', () => {
    fc.assert(
      fc.property(
        randomFlows,
        randomFlows,
        fc.array(randomKey, { minLength: 10, maxLength: 10 }),
        (kept, gone, keys) => {
          const plain = viewOf(kept);
          const changed = viewOf(gone);
          const victims = new Set(changed.tables.rules());
          for (const flow of kept) changed.tables.add(parseFlow(flow));
          const isSame = new Set(kept.map((flow) => flow.split(',actions')[0]));
          if (gone.some((flow) => isSame.has(flow.split(',actions')[0]))) return;
          changed.tables.delete((rule) => victims.has(rule));
          expect(changed.tables.size).toBe(plain.tables.size);
          for (const key of keys) {
            const expected = naive(plain, key);
            if (expected !== undefined)
              expect(applyActions(translate(changed, key).actions, key)).toEqual(expected);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
