import { PLUGINS } from '@vhostlab/lab';
import { describe, expect, it } from 'vitest';
import { conformPlugin, openPlugin } from '../src/index.ts';

describe.each(PLUGINS.map((plugin) => [plugin.name, plugin] as const))(
  'the built-in back end %s',
  (_, plugin) => {
    it('passes the kit', async () => {
      const { results, failures } = await conformPlugin(await openPlugin({ plugin }));
      const bad = results.filter(({ verdict }) => verdict !== 'passed' && verdict !== 'not-claimed');
      expect(bad).toEqual([]);
      expect(failures).toBe(0);
    });
  },
);
