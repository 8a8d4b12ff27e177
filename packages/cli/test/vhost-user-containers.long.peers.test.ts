import { writeFileSync } from 'node:fs';
import { composeVhostUserOf } from '@vhostlab/lab';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { VERSION } from '../src/version.ts';
import { Scratch } from './command.ts';
import { leftOf, program, startDocker } from './docker-rig.ts';

const PROJECT = 'vhostlabvu';

let stopDocker: () => Promise<void>;
let scratch: Scratch;
beforeAll(async () => {
  stopDocker = await startDocker();
}, 300_000);
afterAll(() => stopDocker());
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

it('a front end and a back end in two containers share memory over the sockets of a volume', async () => {
  const backend = {
    name: 'echo',
    sockets: ['vm0.sock'],
    options: ['--port', 'echo', '--json'],
    isEcho: true,
  };
  const text = composeVhostUserOf(
    [backend],
    { name: 'vu', version: VERSION },
    { packets: 5000, hugePages: '2M' },
  );
  writeFileSync(scratch.file('docker-compose.yml'), text);
  const compose = (...args: string[]): string =>
    program('docker-compose', ['--ansi', 'never', '-p', PROJECT, ...args], { cwd: scratch.path });
  try {
    compose('--profile', 'measure', 'up', '-d');
    const [measure, echo] = ['measure-echo-0', 'echo'].map((name) => compose('ps', '-q', name));
    expect(program('docker', ['wait', measure])).toBe('0');
    const result = JSON.parse(program('docker', ['logs', measure]));
    expect(JSON.stringify(result)).toMatch(/"received":5000,"lost":0,"duplicated":0/);
    compose('stop', '-t', '10', 'echo');
    expect(program('docker', ['inspect', '-f', '{{.State.ExitCode}}', echo])).toBe('0');
    const served = JSON.parse(program('docker', ['logs', echo]).split('\n').at(-1) ?? '') as {
      queues: { frames: number; violations: number }[];
    };
    expect(served.queues.map(({ frames, violations }) => [frames, violations])).toEqual([
      [5000, 0],
      [5000, 0],
    ]);
  } finally {
    compose('--profile', 'measure', 'down', '-v', '-t', '1');
  }
  expect(leftOf(PROJECT)).toBe('');
});
