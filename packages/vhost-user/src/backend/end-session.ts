import type { BackendState } from './backend-state.ts';
import { changeMemory } from './handlers/memory.ts';
import { stopAllRings } from './ring-control.ts';

/** Gives back all that a connection had: rings, log, inflight region, memory, descriptors. The device is as new then. */
export async function endSession(state: BackendState): Promise<void> {
  const { device, mapper } = state;
  state.transfer?.abort();
  await state.transfer?.result();
  state.transfer = null;
  try {
    await stopAllRings(state);
    for (const ring of state.rings) {
      if (ring.call !== null) await device.setCall(ring.index, null);
      if (ring.err !== null) await device.setErr(ring.index, null);
    }
    if (state.log !== null) await device.setLog(null);
    if (state.inflight !== null) await device.setInflight(null);
    for (const ring of state.rings) ring.isKickSet = false;
    if (!state.memory.isEmpty) await changeMemory(state, []);
    await device.reset('disconnected');
    if (state.log !== null) mapper.unmap(state.log);
    if (state.inflight !== null) mapper.unmap(state.inflight);
  } finally {
    state.log = null;
    state.inflight = null;
    for (const ring of state.rings) ring.dispose();
    state.logFd?.close();
    state.logFd = null;
    state.channel?.close();
    state.channel = null;
  }
}
