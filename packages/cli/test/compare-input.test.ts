import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { run, Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', '..', 'examples');
const CAPTURE = join(EXAMPLES, 'traffic', 'mixed.pcapng');

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

/** Expects a command line to be refused: status 2, one sentence, nothing on standard output, no run folder. */
async function refusal(...args: string[]): Promise<string> {
  const io = fakeIo();
  const before = readdirSync(scratch.path);
  const out = args.includes('--out') ? [] : ['--out', scratch.file('run')];
  const status = await main(['compare', ...out, ...args], io);
  expect(io.stdout()).toBe('');
  expect(status).toBe(2);
  expect(readdirSync(scratch.path)).toEqual(before);
  const [sentence, ...rest] = io.stderr().trimEnd().split('\n');
  // commander adds hints in brackets
  for (const hint of rest) expect(hint).toMatch(/^\(.*\)$/);
  expect(sentence).not.toContain('internal error');
  return sentence;
}

describe('an option', () => {
  it.each([
    [
      '--backends vhost-net,vduse',
      '--backends: back end "vduse" is unknown; there are vhost-net, vhost-user, vfio, vdpa',
    ],
    ['--backends vdpa,vdpa', '--backends: vdpa is named twice'],
    ['--workload pvp,ping', '--workload: workload "ping" is unknown; there are tx, rx, pvp, v2v, rr, stream'],
    ['--profile big', '--profile: there is no cost profile "big"; there are reference'],
    ['--packets 0', '--packets: packets must be at least 1'],
    ['--packets 1.5', '--packets: packets must be a whole number'],
    ['--packets 2147483648', '--packets: 2147483648 packets are too many; at most 10^9'],
    ['--packets many', `option '--packets <n>' argument 'many' is invalid. "many" is no number.`],
    ['--queues 0', '--queues: queues must be 1 to 16'],
    ['--queues 17', '--queues: queues must be 1 to 16'],
    ['--ring-size 0', '--ring-size: must be at least 2, not 0'],
    [
      '--ring-size 3',
      '--ring-size: 3 is no power of two, which a split ring needs; use --ring packed or another size',
    ],
    ['--ring-size 0 --ring packed', '--ring-size: must be at least 2, not 0'],
    ['--ring-size 65536', '--ring-size: must be at most 32768, not 65536'],
    ['--ring triangular', '--ring: must be split or packed, not "triangular"'],
    ['--pages 64K', '--pages: must be 4K, 2M or 1G, not "64K"'],
    ['--execution fast', '--execution: must be rtc or pipeline, not "fast"'],
    ['--guest sleep', '--guest: must be interrupt or poll, not "sleep"'],
    ['--pcie gen9x1', '--pcie: must be gen3x8, gen3x16 or gen4x16, not "gen9x1"'],
    ['--nic-rate 0', '--nic-rate: must be at least 1, not 0'],
    ['--rate bogus', '--rate: rate "bogus" is not understood: use line, 50%, 10Mpps, 2.5Gbps or unpaced'],
    ['--size 63', '--size: frame size 63 is outside 64 to 16000 bytes (FCS included)'],
    ['--size huge', '--size: size "huge" is not understood'],
    ['--flows -1', '--flows: must be at least 0, not -1'],
    ['--seed -1', '--seed: must be at least 0, not -1'],
    ['--placement cloud', '--placement: must be embedded or process, not "cloud"'],
    [
      '--flow in_port=1,actions=outpt:10',
      '--flow: flow "in_port=1,actions=outpt:10": unknown action "outpt"',
    ],
    ['--flow in_prt=1,actions=drop', '--flow: flow "in_prt=1,actions=drop": '],
    ['--flows 0 --workload stream', 'traffic: 0 connections: 1 to 65536 are needed'],
    ['--sise 64', "unknown option '--sise'"],
    ['--size', "option '--size <size>' argument missing"],
    ['again', "too many arguments for 'compare'. Expected 0 arguments but got 1: again."],
  ])('%s is refused by name', async (line, text) => {
    expect(await refusal(...line.split(' '))).toContain(`vhostlab: ${text}`);
  });

  it('--ring-size 3 will do for packed rings', async () => {
    const io = fakeIo();
    const out = scratch.file('packed');
    const line = ['compare', '--ring', 'packed', '--ring-size', '3', '--packets', '9', '--workload', 'tx'];
    expect(await main([...line, '--out', out, '--json'], io)).toBe(0);
    const { results } = JSON.parse(io.stdout());
    expect(results.map(({ frames }: { frames: object }) => frames)).toEqual(
      Array(4).fill({ offered: 9, delivered: 9, dropped: 0 }),
    );
  });
});

describe('a capture', () => {
  const good = readFileSync(CAPTURE);

  async function refusedFile(bytes: Uint8Array): Promise<string> {
    const file = scratch.file('x.pcap');
    writeFileSync(file, bytes);
    return (await refusal('--pcap', file)).replace(file, 'x.pcap');
  }

  it('that is not there, or a folder, is refused by name', async () => {
    expect(await refusal('--pcap', scratch.file('gone'))).toBe(
      `vhostlab: --pcap: ${scratch.file('gone')} does not exist; name a pcap or pcapng file`,
    );
    expect(await refusal('--pcap', scratch.path)).toMatch(/is a folder; name a pcap or pcapng file$/);
  });

  it('that is empty, something else, or without frames is refused', async () => {
    expect(await refusedFile(new Uint8Array(0))).toBe('vhostlab: x.pcap: the file is empty (at byte 0)');
    expect(await refusedFile(Buffer.from('hello, no capture'))).toMatch(
      /^vhostlab: x\.pcap: not a pcap or pcapng file: .*\(at byte 0\)$/,
    );
    const bare = Buffer.alloc(24);
    bare.writeUInt32LE(0xa1b2c3d4, 0);
    bare.writeUInt16LE(2, 4);
    bare.writeUInt16LE(4, 6);
    bare.writeUInt32LE(65535, 16);
    bare.writeUInt32LE(1, 20);
    expect(await refusedFile(bare)).toMatch(/^vhostlab: x\.pcap holds no frame/);
  });

  it('that ends early is refused with the offset, after its good frames were counted', async () => {
    const sentence = await refusedFile(good.subarray(0, 2000));
    expect(sentence).toMatch(/^vhostlab: x\.pcap: .* \(at byte 600\) \(4 good frames before it\)$/);
    for (let length = 1; length < 700; length += 37) {
      expect(await refusedFile(good.subarray(0, length))).toMatch(/\(at byte \d+\)|holds no frame/);
    }
  });

  it('is no traffic of a stream', async () => {
    expect(await refusal('--pcap', CAPTURE, '--workload', 'rx,stream')).toMatch(
      /--workload: stream makes its own/,
    );
  });
});

describe('a lab file', () => {
  async function refusedLab(text: string, ...args: string[]): Promise<string> {
    const file = scratch.file('x.lab.yaml');
    writeFileSync(file, `schema: 1\nname: x\n${text}`);
    return (await refusal('--lab', file, ...args)).replaceAll(file, 'x.lab.yaml');
  }

  it('with a fault is refused with place, key and mend', async () => {
    expect(await refusedLab('system:\n  traffic:\n    siez: 64')).toBe(
      'vhostlab: x.lab.yaml:5:5: system.traffic.siez: no such key here; there are size, rate, flows, packets, pcap',
    );
    expect(await refusedLab('roles: {backends: [vduse]}')).toContain('back end "vduse" is unknown');
    expect(await refusedLab('system: {traffic: {pcap: gone.pcap}}')).toContain('gone.pcap does not exist');
    expect(await refusal('--lab', scratch.file('gone.yaml'))).toMatch(/cannot read the lab file .*ENOENT$/);
  });

  it('that only a lab can run is refused with what to do', async () => {
    expect(await refusedLab('placement: {default: process, nodes: {nic0: {endpoint: "h:1"}}}')).toBe(
      'vhostlab: --lab: x.lab.yaml places services as process and endpoint; run it with vhostlab lab up, or give --placement embedded or process',
    );
    const wire =
      'system: {links: [{endpoints: ["nic0:wire", "station:wire"], latency: 1us}, ["guest0:vq", "backend0:vq"], ["backend0:nic", "nic0:host"], ["backend0:upcall", "switch0:upcall"]], workloads: [pvp]}';
    expect(await refusedLab(wire)).toBe(
      'vhostlab: --lab: x.lab.yaml sets the latency of the wire; run it with vhostlab lab up',
    );
  });

  it('is checked together with the options that override it', async () => {
    expect(await refusedLab('system: {guests: {ring: packed, ringSize: 100}}', '--ring', 'split')).toBe(
      'vhostlab: --ring-size: 100 is no power of two, which a split ring needs; use --ring packed or another size',
    );
  });
});

describe('a run folder', () => {
  it('that exists is refused and left as it is', async () => {
    const file = scratch.file('notes.txt');
    writeFileSync(file, 'mine');
    expect(await refusal('--out', scratch.path)).toBe(
      `vhostlab: --out: ${scratch.path} exists already; name a folder that does not`,
    );
    expect(await refusal('--out', file)).toContain('exists already');
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it('that cannot be made is refused', async () => {
    for (const out of [scratch.file('notes.txt', 'run'), '/proc/nowhere/run']) {
      expect(await refusal('--out', out)).toMatch(
        /^vhostlab: --out: \S+: the run folder cannot be made \(E[A-Z]+\); /,
      );
    }
  });

  it('is not made by a command that is refused, in a process of its own', async () => {
    const { status, stdout, stderr } = await run(scratch, 'compare', '--flow', 'actions=nonsense');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^vhostlab: --flow: flow "actions=nonsense": [^\n]+\n$/);
    expect(existsSync(scratch.file('vhostlab-runs'))).toBe(false);
    expect(scratch.leftovers()).toEqual([]);
  });
});
