import type { LabDescription } from '../lab-file/read.ts';
import type { Admission } from './admission.ts';
import { admitReal } from './admit-real.ts';
import { admitServices } from './admit-services.ts';
import { type Machine, thisMachine } from './machine.ts';

/** Whether a machine (this one) has what a lab asks for, on either clock. */
export async function admit(
  { real, topology }: LabDescription,
  machine: Machine = thisMachine(),
): Promise<Admission> {
  return real === undefined ? admitServices(topology, machine) : admitReal(real, machine);
}
