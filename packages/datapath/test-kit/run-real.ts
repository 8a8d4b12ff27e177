import {
  type CompiledProfile,
  type ComponentPlan,
  type ModuleRegistry,
  type RealCoreStatistics,
  RealThread,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { type CoreOutcome, coreOutcome, testProfile } from './run.ts';

/** How far a look at the clock moves it. */
const LOOK_PS = 100_000;
/** Turns without anything done after which pollers are taken to be at rest. */
const QUIET_TURNS = 3000;
const MAX_TURNS = 5_000_000;

/**
 * Runs components to their end on one thread of the real runtime, with a clock of its own that moves on at each look.
 * Throws when they do not come to rest.
 */
export function runComponentsReal(
  components: readonly ComponentPlan[],
  modules: ModuleRegistry,
  profile: CompiledProfile = testProfile(),
): CoreOutcome<RealCoreStatistics> {
  const bytes = components
    .flatMap(({ windows }) => windows)
    .reduce((sum, window) => sum + window.bytes + 4096, 0);
  let ps = 0;
  const thread = new RealThread(components, modules, {
    arena: createArena(bytes + (64 << 20)),
    profile,
    readPs: () => (ps += LOOK_PS),
  });
  const useful = (): number => thread.statistics().reduce((sum, { usefulRuns }) => sum + usefulRuns, 0);
  let done = -1;
  for (let turns = 0; turns < MAX_TURNS; turns += QUIET_TURNS) {
    for (let turn = 0; turn < QUIET_TURNS; turn++) {
      if (thread.turn()) continue;
      const wakes = thread.wakesPs();
      if (wakes === Number.POSITIVE_INFINITY) return coreOutcome(thread.statistics());
      if (wakes > ps) ps = wakes;
    }
    if (done === useful()) return coreOutcome(thread.statistics());
    done = useful();
  }
  throw new Error(`not at rest after ${MAX_TURNS} turns`);
}
