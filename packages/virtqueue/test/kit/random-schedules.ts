import fc from 'fast-check';
import { drain, queueCommands } from './commands.ts';
import { Oracle } from './oracle.ts';
import { allOptions, makeRig, optionsName, type RigOptions } from './rig.ts';

/** Both formats with every feature, of usual size and of the smallest, with and without indirect tables. */
export function scheduleOptions(): [name: string, RigOptions][] {
  const options = [...allOptions({ split: 8, packed: 7 }), ...allOptions({ split: 2, packed: 1 })];
  const direct = options.map((each) => ({ ...each, features: { ...each.features, indirect: false } }));
  return [...options, ...direct].map((each) => [optionsName(each), each]);
}

/** Expects driver and device to equal the oracle over random schedules with delayed visibility. */
export function expectEqualsOracle(options: RigOptions, numRuns: number): void {
  fc.assert(
    fc.property(queueCommands(options.features.indirect), (commands) => {
      const model = new Oracle(options.size, options.features.inOrder);
      const rig = makeRig(options);
      fc.modelRun(() => ({ model, real: rig }), commands);
      drain(model, rig);
    }),
    { numRuns },
  );
}
