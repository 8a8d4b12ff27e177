import { type CompiledProfile, OPS } from '@vhostlab/engine';
import type { CostProfile } from './schema.ts';

/** A profile that cannot be used; the message is one sentence that names the field and the mend. */
export class CostProfileError extends Error {
  override readonly name = 'CostProfileError';
  readonly exitCode = 2;
}

/** Turns a profile into the meter's arrays. Every operation must have a cost and no unknown one may stand there. */
export function compileCostProfile(profile: CostProfile): CompiledProfile {
  const known = new Set(OPS.map(({ op }) => op));
  for (const name of Object.keys(profile.operations)) {
    if (!known.has(name)) {
      throw new CostProfileError(
        `cost profile ${profile.name}: operations.${name} is no operation; remove it`,
      );
    }
  }
  const fixedPs = new Float64Array(OPS.length);
  const perBytePs = new Float64Array(OPS.length);
  OPS.forEach(({ op }, i) => {
    const cost = profile.operations[op];
    if (cost === undefined)
      throw new CostProfileError(`cost profile ${profile.name} lacks operations.${op}; add it`);
    fixedPs[i] = cost.fixed.value * 1000;
    perBytePs[i] = cost.perByte.value * 1000;
  });
  const constants = new Map(Object.entries(profile.constants).map(([name, { value }]) => [name, value]));
  return { name: profile.name, fixedPs, perBytePs, constants };
}
