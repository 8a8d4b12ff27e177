import { TRANSFER_LOAD, TRANSFER_PHASE_STOPPED, u64Payload } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import { type Handler, handle } from '../handler.ts';
import { refuse } from '../refusal.ts';
import { StateTransfer } from '../state-transfer.ts';

/** Migration of the device's internal state. */
export const DEVICE_STATE: readonly Handler[] = [
  handle('SET_DEVICE_STATE_FD', 'transfer', async (state, { direction, phase }, fds) => {
    const clause = clauseOf('SET_DEVICE_STATE_FD');
    if (direction > TRANSFER_LOAD || phase !== TRANSFER_PHASE_STOPPED) {
      const text = `direction ${direction} in phase ${phase}: 0 (save) and 1 (load) in phase 0 are defined`;
      return refuse('state-value', clause, text);
    }
    if (state.hasStartedRing)
      return refuse('state-running', clause, 'rings run: the device must be suspended');
    if (state.transfer !== null && !state.transfer.isDone) {
      return refuse('state-running', clause, 'another transfer of the state is under way');
    }
    const { device } = state;
    state.transfer = new StateTransfer(fds.take(0)!, (fd, signal) =>
      direction === TRANSFER_LOAD ? device.loadState(fd, signal) : device.saveState(fd, signal),
    );
    return { reply: { kind: 'state-fd', error: 0, noFd: true } };
  }),

  handle('CHECK_DEVICE_STATE', 'empty', async (state) => {
    const clause = clauseOf('CHECK_DEVICE_STATE');
    if (state.transfer === null) return refuse('state-value', clause, 'no state was transferred');
    const refused = await state.transfer.result();
    state.transfer = null;
    return refused === null ? { reply: u64Payload(0) } : refuse('state-device', clause, refused);
  }),
];
