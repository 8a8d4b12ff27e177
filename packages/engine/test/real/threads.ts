import { createArena } from '@vhostlab/memory';
import {
  type ComponentPlan,
  type CoreContext,
  type CorePlan,
  type EndPlan,
  type ModuleRegistry,
  RealThread,
  type TaskResult,
  type ThreadSurroundings,
} from '../../src/index.ts';
import { testProfile } from '../ping.ts';

export type Script = (context: CoreContext) => void;

/** A clock that tests move; reading it takes no time. */
export class HandClock {
  ps = 1e15;
  reads = 0;
  read = (): number => {
    this.reads++;
    return this.ps;
  };
}

/** A core of a plan; its module is called like it. */
export function corePlan(id: string, mode: CorePlan['mode'] = 'wait', config: unknown = {}): CorePlan {
  return { id, service: 's', module: id, config, mode, account: 'host' };
}

/** Both ends of a channel, named like it. */
export function channel(
  kind: EndPlan['kind'],
  id: string,
  a: string,
  b: string,
  part: Partial<EndPlan> = {},
): EndPlan[] {
  const end = { channel: id, kind, end: id, latency: 'coherent', ...part } as const;
  return [
    { ...end, side: 'a', core: a },
    { ...end, side: 'b', core: b },
  ];
}

/** A thread of components on plain memory. */
export function threadOf(
  component: ComponentPlan,
  modules: ModuleRegistry,
  around: Partial<ThreadSurroundings> = {},
): RealThread {
  return new RealThread([component], modules, {
    arena: createArena(1 << 20),
    profile: testProfile,
    readPs: new HandClock().read,
    ...around,
  });
}

/** A thread of cores made of scripts; window `w`, and whatever ends are given. */
export function scripted(
  scripts: Record<string, { mode?: CorePlan['mode']; script: Script }>,
  ends: EndPlan[] = [],
  around: Partial<ThreadSurroundings> = {},
): RealThread {
  const ids = Object.keys(scripts);
  const modules: ModuleRegistry = new Map(ids.map((id) => [id, { create: scripts[id].script }]));
  const cores = ids.map((id) => corePlan(id, scripts[id].mode));
  return threadOf({ cores, windows: [{ id: 'w', owner: 's', bytes: 4096 }], ends }, modules, around);
}

/** A task of one function. */
export function task(context: CoreContext, run: () => TaskResult): void {
  context.addTask({ name: 'task', run });
}
