import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Datapath,
  type DatapathAction,
  decodeActions,
  decodeFlowDelete,
  decodeFlowDump,
  decodeFlowPut,
  decodeUpcall,
  decodeUpcallReply,
  encodeActions,
  encodeFlowDelete,
  encodeFlowDump,
  encodeFlowPut,
  encodeUpcall,
  encodeUpcallReply,
  KEY_WORDS,
  METHOD_FLOW_DELETE,
  METHOD_FLOW_DUMP,
  METHOD_FLOW_FLUSH,
  METHOD_FLOW_PUT,
  programFault,
  STATUS_INVALID,
  STATUS_NOT_FOUND,
  STATUS_OK,
  STATUS_UNKNOWN_METHOD,
} from '../src/index.ts';

const u32 = fc.nat({ max: 0xffffffff });
const key = fc.tuple(
  fc.nat({ max: 0xffff }),
  fc.array(u32, { minLength: KEY_WORDS - 1, maxLength: KEY_WORDS - 1 }),
);
const keyWords = key.map(([port, rest]) => Uint32Array.from([port, ...rest]));
const action: fc.Arbitrary<DatapathAction> = fc.oneof(
  fc.record({ type: fc.constant('output' as const), port: fc.nat({ max: 0xffff }) }),
  fc.record({
    type: fc.constant('push_vlan' as const),
    tpid: fc.constantFrom(0x8100, 0x88a8),
    tci: fc.nat({ max: 0xffff }),
  }),
  fc.record({ type: fc.constant('pop_vlan' as const) }),
  fc.record({
    type: fc.constant('set' as const),
    word: fc.nat({ max: KEY_WORDS - 1 }),
    value: u32,
    mask: u32,
  }),
  fc.record({ type: fc.constant('dec_ttl' as const) }),
  fc.record({ type: fc.constant('drop' as const) }),
);
const program = fc.array(action, { maxLength: 12 }).map(encodeActions);
const put = fc.record({ key: keyWords, mask: keyWords, program });

describe('codec', () => {
  it('round-trips action lists', () => {
    fc.assert(
      fc.property(fc.array(action), (actions) => {
        expect(decodeActions(encodeActions(actions))).toEqual(actions);
      }),
    );
  });

  it('round-trips every message', () => {
    fc.assert(
      fc.property(
        put,
        u32,
        fc.uint8Array(),
        fc.boolean(),
        fc.array(put),
        (flow, hash, frame, hasPut, flows) => {
          const upcall = { key: flow.key, hash, frameBytes: frame.length, frame };
          expect(decodeUpcall(encodeUpcall(upcall))).toEqual(upcall);
          expect(decodeFlowPut(encodeFlowPut(flow))).toEqual(flow);
          expect(decodeFlowDelete(encodeFlowDelete(flow.key, flow.mask))).toEqual({
            key: flow.key,
            mask: flow.mask,
          });
          const reply = { program: flow.program, put: hasPut ? flow : undefined };
          expect(decodeUpcallReply(encodeUpcallReply(reply))).toEqual(reply);
          const dump = flows.map((one, i) => ({ ...one, packets: i, bytes: i * 2 ** 40, lastUsedPs: i - 1 }));
          expect(decodeFlowDump(encodeFlowDump(dump))).toEqual(dump);
        },
      ),
    );
  });

  it('refuses every truncation and any tail', () => {
    fc.assert(
      fc.property(put, (flow) => {
        const bytes = encodeUpcallReply({ program: flow.program, put: flow });
        for (let length = 0; length < bytes.length; length++) {
          expect(decodeUpcallReply(bytes.subarray(0, length))).toBeUndefined();
        }
        expect(decodeFlowPut(Uint8Array.from([...encodeFlowPut(flow), 0, 0, 0, 0]))).toBeUndefined();
      }),
      { numRuns: 5 },
    );
  });

  it('answers any bytes without throwing', () => {
    const datapath = new Datapath({ kind: 'kernel' });
    fc.assert(
      fc.property(fc.nat({ max: 9 }), fc.uint8Array({ maxLength: 400 }), (method, body) => {
        let answers = 0;
        datapath.serve(method, body, 0, () => answers++);
        expect(answers).toBe(1);
      }),
    );
  });

  it.each([
    [[9], 'operation 9 of a program does not exist'],
    [[4, 0, 0], 'program ends inside an operation'],
    [[4, 20, 0, 0], 'program sets key word 20'],
    [new Array<number>(4097).fill(3), 'program of more than 4096 words'],
  ])('names what is wrong with program %#', (words, fault) => {
    expect(programFault(Uint32Array.from(words))).toBe(fault);
  });
});

describe('the switch service drives a datapath', () => {
  it('puts, dumps, deletes and flushes', () => {
    const datapath = new Datapath({ kind: 'userspace' });
    const flow = {
      key: new Uint32Array(KEY_WORDS).fill(3),
      mask: new Uint32Array(KEY_WORDS).fill(0xffffffff),
    };
    const program = encodeActions([{ type: 'output', port: 4 }]);
    const serve = (method: number, body: Uint8Array): [number, Uint8Array] => {
      let answer: [number, Uint8Array] = [-1, body];
      datapath.serve(method, body, 10, (status, bytes) => {
        answer = [status, bytes];
      });
      return answer;
    };
    const putBytes = encodeFlowPut({ ...flow, program });
    expect(serve(METHOD_FLOW_PUT, putBytes)[0]).toBe(STATUS_OK);
    expect(decodeFlowDump(serve(METHOD_FLOW_DUMP, new Uint8Array(0))[1])).toEqual([
      { ...flow, program, packets: 0, bytes: 0, lastUsedPs: -1 },
    ]);
    const which = encodeFlowDelete(flow.key, flow.mask);
    expect(serve(METHOD_FLOW_DELETE, which)[0]).toBe(STATUS_OK);
    expect(serve(METHOD_FLOW_DELETE, which)[0]).toBe(STATUS_NOT_FOUND);
    expect(serve(METHOD_FLOW_PUT, putBytes.subarray(4))[0]).toBe(STATUS_INVALID);
    serve(METHOD_FLOW_PUT, putBytes);
    expect(serve(METHOD_FLOW_FLUSH, new Uint8Array(0))[0]).toBe(STATUS_OK);
    expect(datapath.flows.count).toBe(0);
    expect(serve(99, new Uint8Array(0))[0]).toBe(STATUS_UNKNOWN_METHOD);
  });
});
