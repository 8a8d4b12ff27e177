import type { ComponentDefinition, ConfigFault } from '@vhostlab/contracts';
import type { CoreModule } from '@vhostlab/engine';
import type { ScenarioConfig } from '@vhostlab/workload';
import { createBridge, switchHandler } from './handler.ts';
import { switchLcore } from './lcore.ts';
import { bridgePorts, planSwitch } from './plan.ts';

/** Core modules of the switch service. */
export const switchModules: ReadonlyMap<string, CoreModule> = new Map([
  ['switch/handler', switchHandler],
  ['switch/lcore', switchLcore],
]);

/** The switch service: its flows are checked before anything is made. */
export const switchDefinition: ComponentDefinition<ScenarioConfig> = {
  name: 'switch',
  summary: 'priority flow table, NORMAL with MAC learning, translation to megaflows, upcalls',
  modules: [...switchModules.keys()],
  capabilities: () => [],
  check: (config): ConfigFault[] => {
    try {
      createBridge({ ports: bridgePorts(config), datapaths: [], flows: config.flows });
      return [];
    } catch (error) {
      return [{ field: 'flows', summary: (error as Error).message }];
    }
  },
  plan: planSwitch,
};
