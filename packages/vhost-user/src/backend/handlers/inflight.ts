import type { InflightPayload } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import type { BackendState } from '../backend-state.ts';
import { type Handler, handle } from '../handler.ts';
import { isMapProblem, type Mapping } from '../memory-mapper.ts';
import { type Refusal, refuse } from '../refusal.ts';

/** Queues of one region lie this far apart in libvhost-user and DPDK; the specification is silent. */
const ALIGN_BYTES = 64;

/** Distance of the parts of two queues, in bytes. */
export function inflightStride(bytesPerQueue: number): number {
  return Math.ceil(bytesPerQueue / ALIGN_BYTES) * ALIGN_BYTES;
}

type Name = 'GET_INFLIGHT_FD' | 'SET_INFLIGHT_FD';

function shapeProblem(
  state: BackendState,
  name: Name,
  { numQueues, queueSize }: InflightPayload,
): Refusal | null {
  const clause = clauseOf(name);
  if (state.hasStartedRing)
    return refuse('inflight-running', clause, 'rings run: they use the region that there is');
  if (numQueues < 1 || numQueues > state.rings.length) {
    return refuse(
      'inflight-size',
      clause,
      `a region for ${numQueues} queues: 1 to ${state.rings.length} exist`,
    );
  }
  const most = state.device.offer.maxQueueSize;
  if (queueSize < 1 || queueSize > most) {
    return refuse('inflight-size', clause, `a region for queues of ${queueSize} descriptors: 1 to ${most}`);
  }
  return null;
}

/** Makes a mapping the inflight region; the former one goes once the device has let go of it. */
async function adopt(
  state: BackendState,
  mapping: Mapping,
  wants: InflightPayload,
  fresh: boolean,
): Promise<void> {
  const former = state.inflight;
  state.inflight = mapping;
  const bytesPerQueue = inflightStride(state.device.inflightBytesPerQueue(wants.queueSize));
  await state.device.setInflight({
    arenaOffset: mapping.arenaOffset,
    bytes: mapping.bytes,
    queues: wants.numQueues,
    queueSize: wants.queueSize,
    bytesPerQueue,
    fresh,
  });
  if (former !== null) state.mapper.unmap(former);
}

/** The region for descriptors in flight, which outlives this process in the hands of the front end. */
export const INFLIGHT: readonly Handler[] = [
  handle('GET_INFLIGHT_FD', 'inflight', async (state, wants) => {
    const problem = shapeProblem(state, 'GET_INFLIGHT_FD', wants);
    if (problem !== null) return problem;
    const bytes = inflightStride(state.device.inflightBytesPerQueue(wants.queueSize)) * wants.numQueues;
    const made = state.mapper.create('vhost-user inflight', bytes);
    if (isMapProblem(made)) return refuse('no-room', clauseOf('GET_INFLIGHT_FD'), made.text);
    await adopt(state, made.mapping, wants, true);
    return { reply: { ...wants, mmapSize: BigInt(bytes), mmapOffset: 0n }, fds: [made.fd] };
  }),

  handle('SET_INFLIGHT_FD', 'inflight', async (state, gives, fds) => {
    const clause = clauseOf('SET_INFLIGHT_FD');
    const problem = shapeProblem(state, 'SET_INFLIGHT_FD', gives);
    if (problem !== null) return problem;
    const needs = inflightStride(state.device.inflightBytesPerQueue(gives.queueSize)) * gives.numQueues;
    if (
      gives.mmapSize < BigInt(needs) ||
      gives.mmapSize > 2n ** 32n ||
      gives.mmapOffset + gives.mmapSize > 2n ** 53n
    ) {
      const has = `0x${gives.mmapSize.toString(16)} bytes at offset 0x${gives.mmapOffset.toString(16)}`;
      return refuse(
        'inflight-size',
        clause,
        `a region of ${has}: ${gives.numQueues} queues need ${needs} bytes`,
      );
    }
    const bytes = Number(gives.mmapSize);
    const fileOffset = Number(gives.mmapOffset);
    const mapping = state.mapper.map({ fd: fds.peek(0)!, fileOffset, bytes, purpose: 'inflight' });
    if (isMapProblem(mapping)) {
      return refuse(mapping.problem === 'no-room' ? 'no-room' : 'inflight-file', clause, mapping.text);
    }
    await adopt(state, mapping, gives, false);
    return null;
  }),
];
