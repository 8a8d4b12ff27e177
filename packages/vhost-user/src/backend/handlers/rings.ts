import { VRING_F_LOG, type VringAddr } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import type { Fd } from '../../fd.ts';
import type { FrontName } from '../../registry/front-messages.ts';
import type { BackendState } from '../backend-state.ts';
import type { FdBag } from '../fd-bag.ts';
import { type Handler, handle, isMissing, type Outcome, ringAt } from '../handler.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { addressProblem, placeRing } from '../ring-areas.ts';
import { decodeBase, encodeBase, initialBase } from '../ring-base.ts';
import { markBroken, startIfReady, stopRing, usedLogGpa } from '../ring-control.ts';
import type { RingState } from '../ring-state.ts';
import { logProblem } from './log.ts';

function running(ring: RingState, name: 'SET_VRING_NUM' | 'SET_VRING_BASE' | 'SET_VRING_ADDR'): Refusal {
  const text = `ring ${ring.index} runs: it must be stopped with GET_VRING_BASE first`;
  return refuse('ring-running', clauseOf(name), text);
}

/** Starts the ring if it is complete. A ring that cannot run is reported on its error eventfd as well. */
async function tryStart(state: BackendState, ring: RingState): Promise<Outcome> {
  const refusal = await startIfReady(state, ring);
  if (refusal !== null) markBroken(state, ring, refusal);
  return refusal;
}

/** What is wrong with addresses by themselves and, when memory is shared already, with their places. */
function addrProblem(state: BackendState, ring: RingState, addr: VringAddr): Refusal | null {
  if ((addr.flags & ~VRING_F_LOG) !== 0) {
    const text = `ring ${ring.index} has address flags 0x${addr.flags.toString(16)}: only bit 0 is defined`;
    return refuse('ring-value', clauseOf('SET_VRING_ADDR'), text);
  }
  const shape = { ...state.shape(ring), size: Math.max(1, ring.size) };
  const problem = addressProblem(addr, shape) ?? logProblem(state, addr, shape);
  if (problem !== null || state.memory.isEmpty || state.usesIotlb) return problem;
  const placed = placeRing(addr, shape, state.memory, null);
  return 'refusal' in placed ? placed.refusal : null;
}

function sameAddresses(a: VringAddr | null, b: VringAddr): boolean {
  return a !== null && a.desc === b.desc && a.avail === b.avail && a.used === b.used;
}

/** Replaces a descriptor of a ring once the device has let go of the former. */
async function replaceFd(
  ring: RingState,
  which: 'call' | 'err',
  fd: Fd | null,
  tell: (fd: Fd | null) => Promise<void>,
): Promise<void> {
  const former = ring[which];
  ring[which] = fd;
  await tell(fd);
  former?.close();
}

/** What is wrong with the descriptor of a ring by itself. */
function eventFdProblem(state: BackendState, name: FrontName, index: number, fds: FdBag): Refusal | null {
  const offered = fds.peek(0);
  const useless = offered === null ? null : state.checkEventFd(offered);
  return useless === null ? null : refuse('ring-fd', clauseOf(name), `ring ${index}: ${useless}`);
}

/** Size, addresses, base, descriptors, enabling of rings. */
export const RINGS: readonly Handler[] = [
  handle('SET_VRING_NUM', 'state', async (state, { index, num }) => {
    const ring = ringAt(state, 'SET_VRING_NUM', index);
    if (isMissing(ring)) return ring;
    if (ring.isStarted) return num === ring.size ? null : running(ring, 'SET_VRING_NUM');
    const most = state.device.offer.maxQueueSize;
    const isSplit = state.features !== null && state.format === 'split';
    if (num < 1 || num > most || (isSplit && (num & (num - 1)) !== 0)) {
      const what = isSplit ? `a power of two up to ${most}` : `1 to ${most}`;
      return refuse(
        'ring-size',
        clauseOf('SET_VRING_NUM'),
        `ring ${index} cannot have ${num} descriptors: ${what}`,
      );
    }
    const former = ring.size;
    ring.size = num;
    const outcome = await tryStart(state, ring);
    if (outcome !== null) ring.size = former;
    return outcome;
  }),

  handle('SET_VRING_ADDR', 'addr', async (state, addr) => {
    const ring = ringAt(state, 'SET_VRING_ADDR', addr.index);
    if (isMissing(ring)) return ring;
    if (ring.isStarted && !sameAddresses(ring.address, addr)) return running(ring, 'SET_VRING_ADDR');
    const problem = addrProblem(state, ring, addr);
    if (problem !== null) return problem;
    const former = ring.address;
    ring.address = addr;
    if (ring.isStarted) {
      await state.device.setRingLog(ring.index, usedLogGpa(state, ring));
      return null;
    }
    const outcome = await tryStart(state, ring);
    if (outcome !== null) ring.address = former;
    return outcome;
  }),

  handle('SET_VRING_BASE', 'state', async (state, { index, num }) => {
    const ring = ringAt(state, 'SET_VRING_BASE', index);
    if (isMissing(ring)) return ring;
    if (ring.isStarted) return running(ring, 'SET_VRING_BASE');
    if (state.features !== null && decodeBase(state.format, num) === null) {
      const text = `ring ${index} cannot go on at ${num}: the index of a split ring has 16 bits`;
      return refuse('ring-base', clauseOf('SET_VRING_BASE'), text);
    }
    ring.base = num;
    return null;
  }),

  handle('GET_VRING_BASE', 'state', async (state, { index }) => {
    const ring = ringAt(state, 'GET_VRING_BASE', index);
    if (isMissing(ring)) return ring;
    await stopRing(state, ring);
    ring.dropKick();
    const num = ring.base ?? encodeBase(initialBase(state.format));
    return { reply: { kind: 'state', index, num } };
  }),

  handle('SET_VRING_KICK', 'vring-fd', async (state, { index }, fds) => {
    const ring = ringAt(state, 'SET_VRING_KICK', index);
    if (isMissing(ring)) return ring;
    const problem = eventFdProblem(state, 'SET_VRING_KICK', index, fds);
    if (problem !== null) return problem;
    await stopRing(state, ring);
    ring.dropKick();
    ring.kick = fds.take(0);
    ring.isKickSet = true;
    return tryStart(state, ring);
  }),

  handle('SET_VRING_CALL', 'vring-fd', async (state, { index }, fds) => {
    const ring = ringAt(state, 'SET_VRING_CALL', index);
    if (isMissing(ring)) return ring;
    const problem = eventFdProblem(state, 'SET_VRING_CALL', index, fds);
    if (problem !== null) return problem;
    await replaceFd(ring, 'call', fds.take(0), (fd) => state.device.setCall(index, fd));
    return null;
  }),

  handle('SET_VRING_ERR', 'vring-fd', async (state, { index }, fds) => {
    const ring = ringAt(state, 'SET_VRING_ERR', index);
    if (isMissing(ring)) return ring;
    const problem = eventFdProblem(state, 'SET_VRING_ERR', index, fds);
    if (problem !== null) return problem;
    await replaceFd(ring, 'err', fds.take(0), (fd) => state.device.setErr(index, fd));
    return null;
  }),

  handle('SET_VRING_ENABLE', 'state', async (state, { index, num }) => {
    const ring = ringAt(state, 'SET_VRING_ENABLE', index);
    if (isMissing(ring)) return ring;
    if (num > 1) {
      const text = `ring ${index} is to be enabled with ${num}: 0 or 1`;
      return refuse('ring-value', clauseOf('SET_VRING_ENABLE'), text);
    }
    ring.isEnabled = num === 1;
    await state.device.setEnabled(index, ring.isEnabled);
    return null;
  }),

  handle('VRING_KICK', 'state', async (state, { index }) => {
    const ring = ringAt(state, 'VRING_KICK', index);
    if (isMissing(ring)) return ring;
    ring.isKickSet = true;
    const outcome = await tryStart(state, ring);
    if (outcome === null && ring.isStarted) state.device.kick(index);
    return outcome;
  }),
];
