import type { BurstPlugin, PluginDefinition } from '@vhostlab/backend-sdk';
import { runPlugin, START_PS } from '@vhostlab/backend-sdk/test-kit';

/** Latencies that the explorer chooses between, besides the channel's own: at once, or past several runs of a core. */
const LONG_PS = 1_000_000;
/** Moments at which a frame follows the one before: on both sides of every step of the driver that goes to sleep. */
const STEP_PS = 35_000;
const FIRST_GAP_PS = 20_000;

/** How far the explorer goes. */
export interface ExploreOptions {
  readonly ring: 'split' | 'packed';
  /** Messages on the virtqueue's channel, both ways, that are delayed or not: every combination is run. Default 2. */
  readonly choices?: number;
  /** Distances between two frames that are tried, each with every combination. Default 24. */
  readonly gaps?: number;
  readonly options?: Record<string, unknown>;
}

/** What the explorer found. */
export interface Exploration {
  readonly schedules: number;
  /** The first schedule after which a side sleeps although the other waits for it, in words; null: none. */
  readonly fault: string | null;
}

/**
 * Runs every schedule of publish, barrier and notify between a mock driver that sleeps and the plugin, up to a bound: each
 * of the first messages on the virtqueue's channel (published words and notifications, both ways) is visible at once or
 * late, and the second frame comes at each of many moments around the driver's falling asleep. A schedule is at fault when
 * the run is at rest and frames that were handed over have not been taken: one side missed the other's store.
 */
export function exploreSchedules(
  plugin: PluginDefinition | BurstPlugin,
  explore: ExploreOptions,
): Exploration {
  const { ring, choices = 2, gaps = 24 } = explore;
  const options = explore.options === undefined ? {} : { options: explore.options };
  const guests = plugin.depth === 'device' && plugin.attachesAs === 'vhost-net' ? 2 : 1;
  let schedules = 0;
  for (let gap = 0; gap < gaps; gap++) {
    const gapPs = FIRST_GAP_PS + gap * STEP_PS;
    for (let pattern = 0; pattern < 2 ** choices; pattern++) {
      schedules++;
      let message = 0;
      // set-up publishes nothing of interest: choices count from the first message of the traffic
      const late = (): number => {
        const at = message++;
        return at < choices && (pattern >> at) & 1 ? LONG_PS : 0;
      };
      const outcome = runPlugin(plugin, {
        ring,
        ringSize: 16,
        frames: 2,
        gapPs,
        startPs: START_PS,
        interrupts: true,
        guests,
        stride: 0,
        extraLatency: (channel) => (channel.startsWith('vq.') ? afterStart(late) : undefined),
        ...options,
      });
      const dropped = Object.values(outcome.drops()).reduce((sum, count) => sum + count, 0);
      if (outcome.delivered + dropped < outcome.offered) {
        const asleep = outcome.offered - outcome.delivered - dropped;
        const fault =
          `${asleep} of ${outcome.offered} frames wait for ever in the ${ring} ring: the second frame came ` +
          `${gapPs / 1000} ns after the first, late messages ${pattern.toString(2).padStart(choices, '0')} (last first); ` +
          'a barrier is missing between a publication and the read of the other side’s event word';
        return { schedules, fault };
      }
    }
  }
  return { schedules, fault: null };
}

/** The first messages of each direction belong to set-up: the buffers that the driver posts, and what it arms. */
function afterStart(late: () => number): () => number {
  let seen = 0;
  return () => (seen++ < 1 ? 0 : late());
}
