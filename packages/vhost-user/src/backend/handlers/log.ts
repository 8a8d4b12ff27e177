import { DIRTY_PAGE_BYTES } from '@vhostlab/memory';
import { EMPTY, VRING_F_LOG, type VringAddr } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import type { BackendState } from '../backend-state.ts';
import { type Handler, handle } from '../handler.ts';
import { isMapProblem } from '../memory-mapper.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { deviceAreaBytes, type RingShape } from '../ring-areas.ts';

const OFFSET_LIMIT = 2n ** 63n;

/** First guest-physical address that a log of so many bytes does not cover. */
function logLimit(bytes: number): number {
  return bytes * 8 * DIRTY_PAGE_BYTES;
}

/** A used ring that is to be logged, and is not covered by the log that there is. */
export function logProblem(state: BackendState, addr: VringAddr, shape: RingShape): Refusal | null {
  if (state.log === null || (addr.flags & VRING_F_LOG) === 0 || state.usesIotlb) return null;
  return coverProblem(addr, shape, state.log.bytes);
}

function coverProblem(addr: VringAddr, shape: RingShape, logBytes: number): Refusal | null {
  const limit = logLimit(logBytes);
  if (addr.logGuestAddr + BigInt(deviceAreaBytes(shape)) <= BigInt(limit)) return null;
  const where = `0x${addr.logGuestAddr.toString(16)}`;
  const text = `the used ring of ring ${addr.index} is logged at ${where}, beyond the log's end 0x${limit.toString(16)}`;
  return refuse('log-size', clauseOf('SET_VRING_ADDR'), text);
}

/** Sizes that a log cannot have, before anything is mapped. */
function sizeProblem(state: BackendState, size: bigint, offset: bigint): Refusal | null {
  const clause = clauseOf('SET_LOG_BASE');
  if (size === 0n || offset + size > OFFSET_LIMIT || size > 2n ** 32n) {
    const text = `a log of 0x${size.toString(16)} bytes at offset 0x${offset.toString(16)} of its file cannot be`;
    return refuse('log-size', clause, text);
  }
  const bytes = Number(size);
  if (logLimit(bytes) < state.memory.end) {
    const text = `a log of ${bytes} bytes ends at 0x${logLimit(bytes).toString(16)}, memory at 0x${state.memory.end.toString(16)}`;
    return refuse('log-size', clause, text);
  }
  if (state.usesIotlb) return null;
  for (const ring of state.rings) {
    if (ring.address === null || (ring.address.flags & VRING_F_LOG) === 0) continue;
    const problem = coverProblem(ring.address, state.shape(ring), bytes);
    if (problem !== null) return problem;
  }
  return null;
}

/** The dirty log of live migration. */
export const LOG: readonly Handler[] = [
  handle('SET_LOG_BASE', 'log', async (state, { mmapSize, mmapOffset }, fds) => {
    const problem = sizeProblem(state, mmapSize, mmapOffset);
    if (problem !== null) return problem;
    const fd = fds.peek(0)!;
    const request = { fd, fileOffset: Number(mmapOffset), bytes: Number(mmapSize), purpose: 'log' } as const;
    const mapping = state.mapper.map(request);
    if (isMapProblem(mapping)) {
      return refuse(
        mapping.problem === 'no-room' ? 'no-room' : 'log-file',
        clauseOf('SET_LOG_BASE'),
        mapping.text,
      );
    }
    const former = state.log;
    state.log = mapping;
    await state.device.setLog(state.logArea);
    if (former !== null) state.mapper.unmap(former);
    return { reply: EMPTY };
  }),

  handle('SET_LOG_FD', 'empty', async (state, _payload, fds) => {
    state.logFd?.close();
    state.logFd = fds.take(0);
    return null;
  }),
];
