import { u64Payload } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import { missingRequirements, protocolFeatureNames } from '../../registry/protocol-features.ts';
import { F_LOG_ALL, F_PROTOCOL_FEATURES, virtioFeatureNames } from '../../registry/virtio-features.ts';
import type { BackendState } from '../backend-state.ts';
import { type Handler, handle } from '../handler.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { startAllReady } from '../ring-control.ts';

/** What SET_FEATURES may not say. */
function featureProblem(state: BackendState, features: bigint): Refusal | null {
  const clause = clauseOf('SET_FEATURES');
  const unoffered = features & ~state.offered;
  if (unoffered !== 0n) {
    const names = virtioFeatureNames(unoffered).join(', ');
    return refuse('features-unoffered', clause, `${names} was not offered`);
  }
  const changed = ((state.features ?? 0n) ^ features) & ~F_LOG_ALL;
  if (state.hasStartedRing && changed !== 0n) {
    const names = virtioFeatureNames(changed).join(', ');
    return refuse('features-running', clause, `${names} changes while rings run: only LOG_ALL may`);
  }
  return null;
}

/** Enables every ring: without VHOST_USER_F_PROTOCOL_FEATURES there is no SET_VRING_ENABLE (vhost-user, "Ring states"). */
async function enableAll(state: BackendState): Promise<void> {
  for (const ring of state.rings) {
    if (ring.isEnabled) continue;
    ring.isEnabled = true;
    await state.device.setEnabled(ring.index, true);
  }
}

/** Features, protocol features, ownership, number of queues. */
export const NEGOTIATION: readonly Handler[] = [
  handle('GET_FEATURES', 'empty', async (state) => ({ reply: u64Payload(state.offered) })),

  handle('SET_FEATURES', 'u64', async (state, { value }) => {
    const problem = featureProblem(state, value);
    if (problem !== null) return problem;
    const changed = state.features === null || ((state.features ^ value) & ~F_LOG_ALL) !== 0n;
    if (changed) {
      const refused = await state.device.setFeatures(value & ~F_LOG_ALL);
      if (refused !== null) return refuse('features-device', clauseOf('SET_FEATURES'), refused);
    }
    const logToggled = (((state.features ?? 0n) ^ value) & F_LOG_ALL) !== 0n;
    state.features = value;
    if (logToggled && state.log !== null) await state.device.setLog(state.logArea);
    if ((value & F_PROTOCOL_FEATURES) === 0n) await enableAll(state);
    await startAllReady(state);
    return null;
  }),

  handle('GET_PROTOCOL_FEATURES', 'empty', async (state) => ({
    reply: u64Payload(state.device.offer.protocolFeatures),
  })),

  handle('SET_PROTOCOL_FEATURES', 'u64', async (state, { value }) => {
    const clause = clauseOf('SET_PROTOCOL_FEATURES');
    const unoffered = value & ~state.device.offer.protocolFeatures;
    if (unoffered !== 0n) {
      const names = protocolFeatureNames(unoffered).join(', ');
      return refuse('protocol-features-unoffered', clause, `${names} was not offered`);
    }
    const missing = missingRequirements(value)[0];
    if (missing !== undefined) {
      const text = `${missing[0]} needs ${missing[1]} as well`;
      return { ...refuse('protocol-features-requirement', clause, text), fatal: true };
    }
    state.protocolFeatures = value;
    state.device.setProtocolFeatures(value);
    return null;
  }),

  handle('SET_OWNER', 'empty', async () => null),
  // deprecated: a back end may ignore it, and those that dropped state lost guests
  handle('RESET_OWNER', 'empty', async () => null),

  handle('GET_QUEUE_NUM', 'empty', async (state) => ({ reply: u64Payload(state.device.offer.queuePairs) })),
];
