import type { ComponentPlan } from '@vhostlab/engine';
import type { BackendInstance } from '@vhostlab/workload';

/**
 * A plan under the names of its instance: cores, windows and channels get its suffix. Names by which a core asks for its
 * ends and windows stay, so a module knows nothing of instances.
 */
export function planOfInstance(
  plan: ComponentPlan,
  { suffix }: Pick<BackendInstance, 'suffix'>,
): ComponentPlan {
  if (suffix === '') return plan;
  return {
    cores: plan.cores.map((core) => ({ ...core, id: core.id + suffix })),
    windows: plan.windows.map((window) => ({ ...window, id: window.id + suffix })),
    ends: plan.ends.map((end) => ({
      ...end,
      channel: end.channel + suffix,
      core: end.core + suffix,
      ...(end.window === undefined ? {} : { window: end.window + suffix }),
    })),
  };
}

/** Several plans as one. */
export function joinPlans(plans: readonly ComponentPlan[]): ComponentPlan {
  return {
    cores: plans.flatMap(({ cores }) => cores),
    windows: plans.flatMap(({ windows }) => windows),
    ends: plans.flatMap(({ ends }) => ends),
  };
}
