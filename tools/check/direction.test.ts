import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { determinismErrors, directionErrors, LAYERS } from './direction.ts';
import { readSourceGraph } from './source-graph.ts';
import { graphOf } from './temp-tree.ts';

describe('import direction', () => {
  it('accepts an import from a lower line to an upper one', () => {
    const graph = graphOf({
      'packages/layout/src/index.ts': 'export const a = 1;',
      'packages/virtqueue/src/ring.ts': "import { a } from '@vhostlab/layout';\nexport const b = a;",
    });
    expect(directionErrors(graph)).toEqual([]);
  });

  it('finds an import from an upper line to a lower one, with its place', () => {
    const graph = graphOf({
      'packages/virtqueue/src/index.ts': '',
      'packages/layout/src/bad.ts':
        "/** why */\nimport type { Ring } from '@vhostlab/virtqueue';\nexport type R = Ring;",
    });
    expect(directionErrors(graph)).toEqual([
      'packages/layout/src/bad.ts:2: layout imports virtqueue, which stands below it: ' +
        'imports run from the lower lines to the upper ones',
    ]);
  });

  it('finds import() types, dynamic imports and re-exports', () => {
    const graph = graphOf({
      'packages/lab/src/index.ts': '',
      'packages/packet/src/a.ts': "export type T = import('@vhostlab/lab').Lab;",
      'packages/packet/src/b.ts': "export const load = () => import('@vhostlab/lab');",
      'packages/packet/src/c.ts': "export { run } from '@vhostlab/lab';",
    });
    expect(directionErrors(graph).map((error) => error.split(':')[0])).toEqual([
      'packages/packet/src/a.ts',
      'packages/packet/src/b.ts',
      'packages/packet/src/c.ts',
    ]);
  });

  it('keeps services apart', () => {
    const graph = graphOf({
      'packages/guest/src/index.ts': '',
      'packages/nic/src/a.ts': "import '@vhostlab/guest';",
    });
    expect(directionErrors(graph)).toEqual([
      'packages/nic/src/a.ts:1: nic imports guest, which stands on the same line of the layers',
    ]);
  });

  it('gives a back end the plugin kit and nothing private', () => {
    const graph = graphOf({
      'packages/backend-sdk/src/index.ts': '',
      'packages/virtqueue/src/index.ts': '',
      'packages/contracts/src/index.ts': '',
      'packages/backend-vdpa/src/ok.ts': "import '@vhostlab/backend-sdk';\nimport '@vhostlab/virtqueue';",
      'packages/backend-vdpa/src/private.ts': "import '@vhostlab/contracts';",
    });
    const errors = directionErrors(graph);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(
      'packages/backend-vdpa/src/private.ts:1: a back end imports only backend-sdk',
    );
  });

  it('refuses relative paths into another package and unknown packages', () => {
    const graph = graphOf({
      'packages/layout/src/index.ts': '',
      'packages/memory/src/a.ts': "import '../../layout/src/index.ts';\nimport '@vhostlab/nothing';",
      'packages/gadget/src/b.ts': '',
    });
    expect(directionErrors(graph)).toEqual([
      'packages/gadget: has no line in the layer table (tools/check/direction.ts); add one',
      'packages/memory/src/a.ts:1: reaches into layout by a relative path; import @vhostlab/layout',
      'packages/memory/src/a.ts:2: imports @vhostlab/nothing, which is not a package of this workspace',
    ]);
  });

  it('gives tests the real peers, and nothing else of the tools', () => {
    const graph = graphOf({
      'tools/peers/index.ts': '',
      'tools/check/run.ts': '',
      'packages/vhost-device/test/a.peers.test.ts': "import '../../../tools/peers/index.ts';",
      'packages/vhost-device/test/b.test.ts': "import '../../../tools/check/run.ts';",
      'packages/vhost-device/src/c.ts': "import '../../../tools/peers/index.ts';",
    });
    expect(directionErrors(graph)).toEqual(
      ['src/c.ts', 'test/b.test.ts'].map(
        (path) =>
          `packages/vhost-device/${path}:1: vhost-device imports tools; move what it needs into a package`,
      ),
    );
  });

  it('keeps effectful modules, koffi and SDKs where they belong', () => {
    const graph = graphOf({
      'packages/packet/src/a.ts': "import 'node:fs';\nimport 'fs/promises';\nimport 'node:path';",
      'packages/packet/test/a.test.ts': "import 'node:fs';",
      'packages/nic/src/main.ts': "import 'node:os';\nimport '@vhostlab/telemetry';",
      'packages/nic/src/service.ts': "import 'node:worker_threads';\nimport '@vhostlab/telemetry';",
      'packages/memory/src/b.ts':
        "import 'koffi';\nimport '@opentelemetry/sdk-trace';\nimport '@opentelemetry/api';",
      'packages/telemetry/src/index.ts': "import 'node:fs';\nimport '@opentelemetry/sdk-trace';",
    });
    expect(directionErrors(graph).map((error) => error.split(': ')[0])).toEqual([
      'packages/memory/src/b.ts:1',
      'packages/memory/src/b.ts:2',
      'packages/nic/src/service.ts:1',
      'packages/nic/src/service.ts:2',
      'packages/packet/src/a.ts:1',
      'packages/packet/src/a.ts:2',
    ]);
  });

  it('has one line for every package of this workspace', () => {
    const { packages } = readSourceGraph(join(import.meta.dirname, '..', '..'));
    const named = LAYERS.flat();
    expect(packages.length).toBeGreaterThan(0);
    expect(packages.filter((name) => !named.includes(name))).toEqual([]);
    expect(new Set(named).size).toBe(named.length);
  });
});

describe('determinism', () => {
  it('finds wall clocks and random numbers in code, not in comments, tests or packages that may use them', () => {
    const graph = graphOf({
      'packages/engine/src/a.ts':
        '// Date.now\n/** Math.random */\nexport const t = Date.now();\nMath.random(); // x',
      'packages/engine/test/a.test.ts': 'Date.now();',
      'packages/cli/src/a.ts': 'Date.now();',
    });
    expect(determinismErrors(graph).map((error) => error.split(' makes')[0])).toEqual([
      'packages/engine/src/a.ts:3: Date.now',
      'packages/engine/src/a.ts:4: Math.random',
    ]);
  });
});
