import { type CoreContext, IDLE, type MemoryEnd, type Procedure, type TaskResult } from '@vhostlab/engine';
import { readRegister, STATUS_NEEDS_RESET } from '@vhostlab/virtio-net';
import { accessRegisters, type RegisterPath } from '../register-path.ts';

/**
 * The driver's handler of configuration interrupts: reads device_status, and starts over when the device says
 * DEVICE_NEEDS_RESET. `end` is the register channel, `status` the register's offset.
 */
export function watchDevice(
  context: CoreContext,
  end: MemoryEnd,
  path: RegisterPath,
  status: number,
  recover: () => Procedure,
): void {
  let busy = false;
  function* look(): Procedure {
    const value = yield* accessRegisters(path, readRegister(status, 1));
    if ((value & STATUS_NEEDS_RESET) !== 0) {
      context.recorder.note(context.stage('setup'), 'driver: DEVICE_NEEDS_RESET', value, 0);
      yield* recover();
    }
    busy = false;
  }
  context.addTask({
    name: 'guest.config',
    run: (): TaskResult => {
      if (busy || end.takeNotified() === 0) return IDLE;
      busy = true;
      context.spawn('guest.config_changed', look());
      return IDLE;
    },
  });
}
