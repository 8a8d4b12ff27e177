import { createArena } from '@vhostlab/memory';
import type { HotCases } from '@vhostlab/memory/test-kit';
import {
  ActionExecutor,
  Datapath,
  type DatapathAction,
  type DatapathOptions,
  encodeActions,
  flowHash,
  KEY_WORDS,
  KeyExtractor,
  LookupCharges,
  W_IN_PORT,
  W_IP_DST,
  W_IP_META,
  W_IP_SRC,
  W_TP,
  W_TYPE_TCI,
} from '../../src/index.ts';
import { frame, ipv4, tcp } from '../frames.ts';

const FLOWS = 64;
const BURST = 32;
const FRAME_STRIDE = 256;
const FRAMES_AT = 4096;

/** An arena with one TCP frame a flow. */
function arenaOfFrames() {
  const arena = createArena(1 << 17);
  for (let i = 0; i < FLOWS; i++) {
    const body = tcp(1000 + i, 80, 0x10);
    arena.u8.set(
      frame({ payload: ipv4({ proto: 6, src: 0x0a000000 + i, body }) }),
      FRAMES_AT + i * FRAME_STRIDE,
    );
  }
  return arena;
}

const FRAME_BYTES = 54;

function maskOf(...words: number[]): Uint32Array {
  const mask = new Uint32Array(KEY_WORDS);
  mask[W_IN_PORT] = 0xffffffff;
  mask[W_TYPE_TCI] = 0xffff1fff;
  for (const word of words) mask[word] = 0xffffffff;
  return mask;
}

/** One frame a call; every 32nd looks up, accounts and charges the burst, of which a quarter misses. */
function forward(options: DatapathOptions): (call: number) => void {
  const { u8 } = arenaOfFrames();
  const extractor = new KeyExtractor();
  const datapath = new Datapath(options);
  const keys = new Uint32Array(BURST * KEY_WORDS);
  const hashes = new Int32Array(BURST);
  const found = new Int32Array(BURST);
  const charges = new LookupCharges({ charge() {} }, () => 1);
  for (let i = 0; i < (FLOWS * 3) / 4; i++) {
    extractor.extract(u8, FRAMES_AT + i * FRAME_STRIDE, FRAME_BYTES, 1, keys, 0);
    const mask = i % 2 === 0 ? maskOf(W_IP_SRC) : maskOf(W_IP_SRC, W_IP_DST, W_TP);
    datapath.put({ key: keys.slice(0, KEY_WORDS), mask, program: encodeActions([]) }, 0);
  }
  return (call) => {
    const i = call % BURST;
    extractor.extract(
      u8,
      FRAMES_AT + (call & (FLOWS - 1)) * FRAME_STRIDE,
      FRAME_BYTES,
      1,
      keys,
      i * KEY_WORDS,
    );
    hashes[i] = flowHash(keys, i * KEY_WORDS);
    if (i < BURST - 1) return;
    const now = call * 1e6 + 0.5e10;
    datapath.lookupBurst(keys, hashes, BURST, now, found);
    for (let k = 0; k < BURST; k++) if (found[k] >= 0) datapath.account(found[k], 1, FRAME_BYTES, now);
    charges.charge(datapath.tally);
  };
}

function execute(actions: DatapathAction[]): () => void {
  const arena = arenaOfFrames();
  const executor = new ActionExecutor(arena, {
    copyFrame(offset, length) {
      arena.copy(1 << 16, offset, length);
      return 1 << 16;
    },
  });
  const program = encodeActions(actions);
  return () => {
    executor.execute(program, FRAMES_AT, FRAME_BYTES, 64, false);
  };
}

export const hotCases: HotCases = {
  'kernel burst': () => forward({ kind: 'kernel', kernel: { rankIntervalPs: 1e15 } }),
  'userspace burst': () => forward({ kind: 'userspace', userspace: { rankIntervalPs: 1e15 } }),
  'userspace burst with SMC': () =>
    forward({ kind: 'userspace', userspace: { rankIntervalPs: 1e15, smcEntries: 64, emcInsertInverse: 0 } }),
  'offloaded burst': () => forward({ kind: 'offloaded' }),
  'two outputs': () =>
    execute([
      { type: 'output', port: 1 },
      { type: 'output', port: 2 },
    ]),
  'push, set, pop': () =>
    execute([
      { type: 'push_vlan', tpid: 0x8100, tci: 0x1005 },
      { type: 'set', word: W_IP_SRC, value: 0x0a000001, mask: 0xffffffff },
      { type: 'set', word: W_TP, value: 5, mask: 0xffff },
      { type: 'set', word: W_IP_META, value: 0x4000, mask: 0xff00 },
      { type: 'pop_vlan' },
      { type: 'output', port: 1 },
    ]),
};
