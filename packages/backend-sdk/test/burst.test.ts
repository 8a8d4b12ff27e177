import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PluginFault } from '@vhostlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  answerProblem,
  type BurstAnswer,
  burstBackend,
  COOKIE_NAME,
  COOKIE_VALUE,
  defineBurstPlugin,
  handshakeLine,
  readHandshakeLine,
  remoteBurst,
} from '../src/index.ts';
import { runPlugin, testFrames } from '../test-kit/index.ts';
import { crossing } from './support/crossing.ts';

const PROGRAM = new URL('./support/crossing-process.ts', import.meta.url).pathname;

describe.each(['split', 'packed'] as const)('a burst plugin in this process, %s rings', (ring) => {
  it('carries frames both ways, byte for byte', () => {
    const outcome = runPlugin(crossing, { ring, frames: 40, lengths: [60, 1514] });
    expect(outcome.wire).toEqual(testFrames(40, [60, 1514]));
    expect(outcome.guests[0].received.map(({ bytes }) => bytes)).toEqual(testFrames(40, [60, 1514]));
    expect(outcome.guests[0].refused).toEqual([]);
    expect(outcome.drops()).toEqual({});
  });

  it('keeps frames for as long as it says, and their order', () => {
    const now = runPlugin(crossing, { ring, frames: 20 });
    const later = runPlugin(crossing, { ring, frames: 20, options: { delayNs: 50_000 } });
    expect(later.wire).toEqual(now.wire);
    expect(later.reachedPs).toBeGreaterThan(now.reachedPs + 49e6);
  });

  it('drops by reason, changes bytes and makes frames', () => {
    const drops = runPlugin(crossing, { ring, frames: 20, options: { dropEvery: 4 } });
    expect(drops.drops()).toEqual({ 'plugin-every_nth': 10 });
    expect(drops.delivered).toBe(30);
    const [first] = runPlugin(crossing, { ring, frames: 1, options: { mangles: true } }).wire;
    expect(first).not.toEqual(testFrames(1)[0]);
    expect(first.slice(0, -2)).toEqual(testFrames(1)[0].slice(0, -2));
    expect(runPlugin(crossing, { ring, frames: 5, options: { copies: true } }).wire).toHaveLength(10);
  });
});

describe('an answer that breaks the contract', () => {
  it.each([
    ['a frame is forgotten', () => undefined, 'each frame must be in one of them'],
    ['no such frame', (answer) => answer.send(1, 7), 'outputs[0].source is 7'],
    ['no such port', (answer) => answer.send(0, 0), 'outputs[0].port is 0'],
    ['an op of nobody', (answer) => [answer.drop('x'), answer.charge('coffee', 1, 0)], '"coffee"'],
    ['a strange reason', (answer) => answer.drop('No Room'), 'drops[0].reason is "No Room"'],
    ['a long delay', (answer) => answer.send(1, 0, { delayPs: 2e12 }), 'outputs[0].delay_ps'],
    ['a runt', (answer) => answer.send(1, 0, { frame: new Uint8Array(13) }), 'outputs[0].frame has 13 bytes'],
  ] as [string, (answer: BurstAnswer) => unknown, string][])('%s', (_, burst, message) => {
    const run = () => runPlugin(faulty(burst), { frames: 1 });
    expect(run).toThrow(PluginFault);
    expect(run).toThrow(message);
  });

  it('is named by its number when it is another burst’s', () => {
    const answer = { sequence: 4n, outputs: [], drops: [], charges: [] };
    expect(answerProblem(answer as never, 3, 0, new Set())).toBe('sequence is 4; the burst was 3.');
  });
});

function faulty(burst: (answer: BurstAnswer) => unknown) {
  return defineBurstPlugin({
    name: 'faulty',
    summary: 'breaks the contract',
    create: () => ({ burst: (_, answer) => void burst(answer) }),
  });
}

describe('a burst plugin in a process of its own', () => {
  let child: ReturnType<typeof spawn>;
  let address = '';

  beforeAll(async () => {
    child = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, [COOKIE_NAME]: COOKIE_VALUE },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const read = readHandshakeLine(line.toString());
    address = 'address' in read ? read.address : '';
  });

  afterAll(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });

  const remote = (timeoutMs?: number) => {
    const { name, summary, version, optionsSchema: options } = crossing;
    return burstBackend(
      remoteBurst({ name, summary, version, options }, address, timeoutMs === undefined ? {} : { timeoutMs }),
    );
  };

  it('gives the same run as in this process, event by event', () => {
    const here = runPlugin(crossing, { frames: 10, options: { delayNs: 700 } });
    const there = runPlugin(remote(), { frames: 10, options: { delayNs: 700 } });
    expect(there.log).toEqual(here.log);
    expect(there.wire).toEqual(here.wire);
    expect(there.core('host.pmd0').results.plugin).toMatchObject({ 'frames.in': 20, seen: 20 });
  });

  it('refuses options with the field’s name', () => {
    expect(() => runPlugin(remote(), { options: { dropEvery: -1 } })).toThrow(/ValidateConfig: dropEvery: /);
  });

  it('is a fault that names the call when it stops answering, and when it is gone', async () => {
    child.kill('SIGSTOP');
    expect(() => runPlugin(remote(300))).toThrow(/failed in Handshake: /);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(() => runPlugin(remote(300))).toThrow(/failed in Handshake: /);
  });
});

describe('the handshake line', () => {
  it.each(['unix:/tmp/p.sock', '127.0.0.1:7001'])('tells %s', (at) => {
    expect(readHandshakeLine(handshakeLine(at))).toEqual({ address: at });
  });

  it.each([
    ['Listening on port 80', 'print logs to standard error'],
    ['2|1|unix|/p|grpc', 'core protocol 2, this host 1'],
    ['1|9|unix|/p|grpc', 'contract version 9, this host 1'],
    ['1|1|unix|p|grpc', 'its address is unix "p"'],
    ['1|1|carrier-pigeon|/p|grpc', 'its address is carrier-pigeon'],
    ['1|1|unix|/p|netrpc', 'it speaks netrpc'],
    ['', 'its first line'],
    ['|'.repeat(40), 'it speaks core protocol'],
  ])('is refused with the mend: %s', (line, refusal) => {
    const read = readHandshakeLine(line);
    expect('refusal' in read ? read.refusal : '').toContain(refusal);
  });
});
