import type { CoreContext, MemoryEnd, Procedure } from '@vhostlab/engine';
import { PCI_CONFIG_WINDOW, type RegisterProcedure } from '@vhostlab/virtio-net';

/** How a vCPU reaches the registers of its device. */
export interface RegisterPath {
  context: CoreContext;
  end: MemoryEnd;
  /** Every access is an exit to the VMM; false: only those to configuration space are. */
  emulated: boolean;
}

/**
 * Carries out a driver's register accesses over the channel: an exit each where the VMM emulates the device, otherwise
 * posted writes and reads that stall the vCPU for a round trip.
 */
export function* accessRegisters<T>(path: RegisterPath, procedure: RegisterProcedure<T>): Procedure<T> {
  const { context, end, emulated } = path;
  const opExit = context.op('kvm.exit_mmio');
  const opWrite = context.op('guest.doorbell');
  let answer = 0;
  for (;;) {
    const step = procedure.next(answer);
    if (step.done === true) return step.value;
    const { kind, offset, width, value } = step.value;
    answer = 0;
    if (emulated || offset >= PCI_CONFIG_WINDOW) context.meter.charge(opExit, 1, 0);
    else if (kind === 'write') context.meter.charge(opWrite, 1, 0);
    if (kind === 'write') end.write(offset, width, value);
    else answer = (yield end.read(offset, width)).value;
  }
}
