import { definePlugin } from '@vhostlab/backend-sdk';
import { vhostUserPlugin } from '@vhostlab/backend-vhost-user';

const renamed = (module: string): string => module.replace('vhost-user/', 'packed/');

/** The built-in vhost-user back end as a package of its own: what being a package costs is what differs. */
export default definePlugin({
  ...vhostUserPlugin,
  name: 'packed',
  attachesAs: 'vhost-user',
  plan: (config) => {
    const plan = vhostUserPlugin.plan(config);
    return { ...plan, cores: plan.cores.map((core) => ({ ...core, module: renamed(core.module) })) };
  },
  modules: new Map([...vhostUserPlugin.modules].map(([name, module]) => [renamed(name), module])),
});
