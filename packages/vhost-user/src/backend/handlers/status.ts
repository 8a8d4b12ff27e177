import { u64Payload } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import { STATUS_FEATURES_OK } from '../backend-state.ts';
import { type Handler, handle } from '../handler.ts';
import { refuse } from '../refusal.ts';
import { startAllReady, stopAllRings } from '../ring-control.ts';

/** Device status and reset. */
export const STATUS: readonly Handler[] = [
  handle('GET_STATUS', 'empty', async (state) => ({ reply: u64Payload(state.status ?? 0) })),

  handle('SET_STATUS', 'u64', async (state, { value }) => {
    if (value > 0xffn) {
      const text = `status 0x${value.toString(16)} does not fit in a byte`;
      return refuse('status-value', clauseOf('SET_STATUS'), text);
    }
    let status = Number(value);
    // FEATURES_OK stays clear until features were accepted (virtio 1.3, 3.1.1)
    if (state.features === null) status &= ~STATUS_FEATURES_OK;
    // QEMU 7.2 writes 0 before it asks for the bases: rings stop and keep them
    if (status === 0) await stopAllRings(state);
    state.status = status;
    await state.device.setStatus(status);
    await startAllReady(state);
    return null;
  }),

  handle('RESET_DEVICE', 'empty', async (state) => {
    await stopAllRings(state);
    for (const ring of state.rings) ring.reset();
    state.features = null;
    state.status = null;
    if (state.log !== null) {
      await state.device.setLog(null);
      state.mapper.unmap(state.log);
      state.log = null;
    }
    if (state.inflight !== null) {
      await state.device.setInflight(null);
      state.mapper.unmap(state.inflight);
      state.inflight = null;
    }
    const ranges = state.iotlb
      .clear()
      .map(({ iova, bytes }) => ({ iova, bytes, arenaOffset: -1, gpa: -1, permission: 0 }));
    if (ranges.length > 0) await state.device.iotlb({ kind: 'invalidate', ranges, rings: [] });
    await state.device.reset('reset-device');
    return null;
  }),
];
