import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  burstBackend,
  defineBurstPlugin,
  definePlugin,
  embeddedBurst,
  scenarioSchema,
} from '@vhostlab/backend-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkScenarios } from '../src/compare/check.ts';
import { readLabFile } from '../src/lab-file/read.ts';
import { planActions, runKeyOf, scenariosOf } from '../src/operate/actions.ts';
import { buildScenario } from '../src/scenario/build.ts';
import { notApplicable, parseCompareOptions } from '../src/scenario/options.ts';
import { rowsOf } from '../src/scenario/rows.ts';
import { runRows } from './support/run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-choice-'));
  for (const [path, name] of [
    ['mine', 'mine'],
    ['node_modules/@me/packed', 'packed'],
  ] as const) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, 'vhostlab-plugin.json'), JSON.stringify({ name }));
  }
  writeFileSync(join(folder, 'other-0.3.0.tgz'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const lab = (roles: string, placement = 'embedded') =>
  readLabFile(
    `schema: 1\nname: x\nsystem: {workloads: [pvp], traffic: {packets: 50}}\nroles: ${roles}\nplacement: ${placement}\n`,
    join(folder, 'x.lab.yaml'),
  );

const wanted = (roles: string, placement?: string) => ({
  file: 'x',
  text: '',
  vars: {},
  description: lab(roles, placement),
});

describe('plugins among the back ends of a lab file', () => {
  it('are found from the folder of the file, named, and kept in the order of the rows', () => {
    const roles =
      '{backends: [{plugin: mine, options: {a: 1}}, vdpa, {plugin: "@me/packed"}, {plugin: ./mine}, {plugin: other-0.3.0.tgz, name: old}, {plugin: "unix:/tmp/p.sock"}]}';
    const { options, topology } = lab(roles);
    expect(options.backends).toEqual([
      { plugin: join(folder, 'mine'), name: 'mine', options: { a: 1 } },
      'vdpa',
      { plugin: join(folder, 'node_modules/@me/packed'), name: 'packed', options: {} },
      { plugin: join(folder, 'mine'), name: 'mine-2', options: {} },
      { plugin: join(folder, 'other-0.3.0.tgz'), name: 'old', options: {} },
      { plugin: 'unix:/tmp/p.sock', name: 'plugin', options: {} },
    ]);
    expect(topology.services.backend.plugins).toHaveLength(4);
    expect(scenariosOf(wanted(roles)).slice(0, 4)).toEqual([
      'pvp/mine',
      'pvp/vdpa',
      'pvp/packed',
      'pvp/mine-2',
    ]);
  });

  it.each([
    [
      '{backends: [{plugin: none}]}',
      /4:21: roles\.backends\.0\.plugin: "none" is no folder and no installed package/,
    ],
    [
      '{backends: [{plugin: ./none}]}',
      /roles\.backends\.0\.plugin: .*\/none does not exist; name the folder/,
    ],
    [
      '{backends: [{plugin: mine, option: {}}]}',
      /roles\.backends\.0\.option: no such key here; there are plugin, name, options/,
    ],
    ['{backends: [{plugin: mine, name: A}]}', /roles\.backends\.0\.name: use lower-case letters/],
    ['{backends: [vduse]}', /roles\.backends\.0: back end "vduse" is unknown/],
  ])('%s is refused', (roles, says) => {
    expect(() => lab(roles)).toThrow(says);
  });

  it('are refused in a container, by name', () => {
    expect(() => lab('{backends: [vdpa, {plugin: mine}]}', 'container')).toThrow(
      /roles\.backends\.1: is a plugin, which no image of ours has/,
    );
  });

  it('have the back-end service started again when they change, and the others not', () => {
    const before = wanted('{backends: [vdpa]}', 'process');
    const after = wanted('{backends: [vdpa, {plugin: mine}]}', 'process');
    const present = {
      services: new Map(Object.entries(before.description.topology.services)) as never,
      runKey: runKeyOf(before),
      isRunning: false,
    };
    const roles = planActions(present, after).flatMap((action) =>
      'role' in action ? [`${action.do} ${action.role}`] : [],
    );
    expect(roles).toEqual(['stop backend', 'start backend']);
  });
});

const burst = burstBackend(
  embeddedBurst(
    defineBurstPlugin({
      name: 'joins',
      summary: 'wire and guest joined',
      create: () => ({
        burst: ({ port, frames }, answer) => {
          for (const at of frames.keys()) answer.send(port === 1 ? 10 : 1, at);
        },
      }),
    }),
  ),
);

describe('a plugin as a row', () => {
  const plugins = new Map([['/there', burst]]);
  const backends = ['vhost-user', { plugin: '/there', name: 'joins' }] as const;
  const options = (more: object = {}) =>
    parseCompareOptions({ workloads: ['pvp'], backends: [...backends], packets: 60, ...more });

  it('carries the frames of the row beside it, under its own name', async () => {
    const [ours, theirs] = await runRows(
      { workloads: ['pvp'], backends: [...backends], packets: 60 },
      { plugins },
    );
    expect([ours?.backend, theirs?.backend]).toEqual(['vhost-user', 'joins']);
    expect(theirs?.frames_sha256).toBe(ours?.frames_sha256);
    expect(theirs?.plugin).toEqual({
      name: 'joins',
      version: '0.1.0',
      attaches_as: 'vhost-user',
      options: {},
    });
    expect(ours?.plugin).toBeUndefined();
  });

  it('says which options it does not have, and runs without them', () => {
    const asked = options({ execution: 'pipeline', vhostUserOffloads: true, ring: 'packed' });
    const row = rowsOf(asked, plugins)[1] as ReturnType<typeof rowsOf>[number];
    expect(notApplicable(row, asked)).toEqual([
      { option: '--execution pipeline', reason: 'not applicable: a burst plugin runs to completion' },
      { option: '--vhost-user-offloads', reason: 'not applicable: a burst plugin gets whole frames' },
    ]);
    expect(buildScenario(row, 'pvp', asked, undefined)).toMatchObject({
      backend: 'vhost-user',
      plugin: { name: 'joins', options: {} },
      execution: 'rtc',
      ring: 'packed',
      offloads: { csum: false, tso: false, mrg: true },
    });
    const silent = definePlugin({
      ...burst,
      name: 'silent',
      modules: new Map(),
      configSchema: scenarioSchema,
      capabilities: () => [],
    });
    const [, other] = rowsOf(asked, new Map([['/there', silent]]));
    expect(buildScenario(other as typeof row, 'pvp', asked, undefined).ring).toBe('split');
    expect(notApplicable(other as typeof row, asked)[0]).toEqual({
      option: '--ring packed',
      reason: 'not applicable: silent does not offer it',
    });
  });

  it('has its options checked before anything starts', () => {
    const wrong = parseCompareOptions({
      workloads: ['pvp'],
      backends: [{ plugin: '/there', name: 'joins', options: { speed: 1 } }],
    });
    expect(() => checkScenarios(wrong, undefined, plugins)).toThrow(
      'plugin.options.speed: Option "speed" is unknown',
    );
    expect(() => checkScenarios(wrong, undefined)).not.toThrow();
    expect(() => options({ backends: [backends[1], backends[1]] })).toThrow(
      '--backends: joins is named twice',
    );
  });
});
