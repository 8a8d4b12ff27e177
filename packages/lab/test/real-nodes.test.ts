import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RealLink } from '../src/lab-file/real-links.ts';
import { devicesOf, LinkSockets } from '../src/operate/real/devices.ts';
import { countsOf } from '../src/operate/real/real-runs.ts';
import { isStopped } from '../src/operate/real/stopped.ts';
import { backendFlow, startedRings } from '../src/real-nodes/backend-node.ts';
import { runInGuest, serveConsole, shellCommand } from '../src/real-nodes/exec-socket.ts';
import type { GuestConsole } from '../src/real-nodes/guest-console.ts';
import { isListeningAlone } from '../src/real-nodes/listening.ts';
import { NodeProcess } from '../src/real-nodes/node-process.ts';
import { nameFeatures, offeredFeatures, parseFeatures } from '../src/real-nodes/offered-features.ts';
import { ovsConfig, ovsFlow } from '../src/real-nodes/ovs-node.ts';
import { machineArguments } from '../src/real-nodes/qemu-arguments.ts';
import { Reaper } from '../src/real-nodes/reaper.ts';
import { within } from '../src/real-nodes/within.ts';

const PATIENCE = { timeout: 10_000, interval: 20 };
const NEVER = new AbortController().signal;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-nodes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function shell(script: string): Promise<NodeProcess> {
  const log = join(folder, 'log');
  return NodeProcess.start({ what: 'vm0', program: '/bin/sh', args: ['-c', script], folder, log });
}

const state = (pid: number): string | undefined => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.[0];
  } catch {
    return undefined;
  }
};

describe('a program of a node', () => {
  it('is waited for, and says what it wrote last when it ends too early', async () => {
    const program = await shell('echo one; echo two; exit 4');
    await program.until(() => program.output().includes('two'), 'two', NEVER, 5000);
    expect(await program.ended).toBe('ended with status 4');
    await expect(program.until(() => false, 'three', NEVER, 5000)).rejects.toThrow(
      /^vm0 \(process \d+\) ended with status 4 before three: two$/,
    );
    await program.end();
    await vi.waitFor(() => expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('one\ntwo\n'), PATIENCE);
  });

  it('is given up when the time is over, and when everything stops', async () => {
    const program = await shell('sleep 60');
    await expect(program.until(() => false, 'it is there', NEVER, 30)).rejects.toThrow(
      'waited 0.03 s, and not it is there',
    );
    const stop = new AbortController();
    const waiting = program.until(() => false, 'it is there', stop.signal, 60_000);
    stop.abort(new Error('another was lost'));
    await expect(waiting).rejects.toThrow('another was lost');
    await expect(within(new Promise(() => undefined), stop.signal)).rejects.toThrow('another was lost');
    await program.end(true);
    expect(program.howEnded).toBe('was ended by SIGKILL');
  });

  it('ends although it is stopped', async () => {
    const program = await shell('sleep 60');
    process.kill(program.pid, 'SIGSTOP');
    await vi.waitFor(() => expect(isStopped(program.pid)).toBe(true), PATIENCE);
    await program.end(true);
    expect(state(program.pid)).toBeUndefined();
    expect(isStopped(program.pid)).toBe(false);
  });
});

it('a reaper removes a folder when the process that made it is killed, and ends with it otherwise', async () => {
  const sockets = join(folder, 'sockets');
  mkdirSync(sockets);
  writeFileSync(join(sockets, 'x'), '');
  const module = JSON.stringify(new URL('../src/real-nodes/reaper.ts', import.meta.url).href);
  const script = `import { Reaper } from ${module}; new Reaper(${JSON.stringify(sockets)}); console.log('up'); setInterval(() => {}, 1000)`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script]);
  await once(owner.stdout, 'data');
  expect(existsSync(sockets)).toBe(true);
  owner.kill('SIGKILL');
  await vi.waitFor(() => expect(existsSync(sockets)).toBe(false), PATIENCE);

  mkdirSync(sockets);
  const reaper = new Reaper(sockets);
  await reaper.end();
  expect(existsSync(sockets)).toBe(true);
  await reaper.end();
});

it("a socket that listens becomes its owner's alone", async () => {
  const path = join(folder, 's');
  expect(isListeningAlone(path, process.pid)).toBe(false);
  const server = createServer().listen(path);
  await once(server, 'listening');
  expect(isListeningAlone(path, process.pid)).toBe(true);
  server.close();
});

describe('features', () => {
  it('are asked of a back end that listens, and read as Linux prints them', async () => {
    const path = join(folder, 's');
    const server = createServer((socket) => {
      socket.on('data', (request: Buffer) => {
        const reply = Buffer.alloc(20);
        reply.writeUInt32LE(request.readUInt32LE(0), 0);
        reply.writeUInt32LE(5, 4);
        reply.writeUInt32LE(8, 8);
        reply.writeBigUInt64LE(0x4_0000_8001n, 12);
        // in two pieces
        socket.write(reply.subarray(0, 7));
        setImmediate(() => socket.write(reply.subarray(7)));
      });
    }).listen(path);
    await once(server, 'listening');
    expect(nameFeatures(await offeredFeatures(path))).toEqual(['CSUM', 'MRG_RXBUF', 'RING_PACKED']);
    server.close();
    await expect(offeredFeatures(join(folder, 'none'))).rejects.toThrow('was not told its features');
    const deaf = createServer((socket) => socket.end()).listen(join(folder, 'deaf'));
    await once(deaf, 'listening');
    await expect(offeredFeatures(join(folder, 'deaf'))).rejects.toThrow('it closed the connection');
    deaf.close();
    expect(parseFeatures('1000000000000001\n')).toBe(0x8001n);
    expect(nameFeatures(1n << 4n)).toEqual(['bit 4']);
  });
});

describe('the console of a guest', () => {
  it('takes a command from another process, and answers status and output', async () => {
    const path = join(folder, 'exec');
    const guest = { run: async (command: string) => ({ status: 3, output: `did ${command}` }) };
    const server = await serveConsole(path, () => guest as unknown as GuestConsole);
    expect(await runInGuest(path, 'ls -l "a b"')).toEqual({ status: 3, output: 'did ls -l "a b"' });
    server.close();
    const deaf = await serveConsole(join(folder, 'deaf'), () => undefined);
    await expect(runInGuest(join(folder, 'deaf'), 'true')).rejects.toThrow('takes no commands yet');
    deaf.close();
    await expect(runInGuest(join(folder, 'none'), 'true')).rejects.toThrow('no connection');
  });

  it('quotes words', () => {
    expect(shellCommand(['ls', '-l', 'a b', "it's", '/x=1'])).toBe(`ls -l 'a b' 'it'\\''s' /x=1`);
  });
});

describe('what programs are told, and say', () => {
  it('names ports in flows as each switch does', () => {
    const flow = 'priority=3,in_port=port0,tp_port=5,actions=output:port2';
    expect(ovsFlow(flow)).toBe('priority=3,in_port=1,tp_port=5,actions=output:3');
    expect(backendFlow(flow)).toBe('priority=3,in_port=guest0,tp_port=5,actions=output:guest2');
  });

  it('counts the rings that a front end has started', () => {
    const lines = ['front end connected', 'ring 0 started: 256 descriptors, split', 'ring 1 started: 256'];
    const output = (...more: string[]): string =>
      [...lines, ...more].map((line) => `/s/a: ${line}`).join('\n');
    expect(startedRings(output(), '/s/a')).toBe(2);
    expect(startedRings(output(), '/s/b')).toBe(0);
    expect(startedRings(output('ring 1 stopped: base 0x3'), '/s/a')).toBe(1);
    expect(startedRings(output('front end gone: it closed'), '/s/a')).toBe(0);
  });

  it('reads counts from the line that tells how it went', () => {
    expect(countsOf('5 packets transmitted, 4 packets received, 20% packet loss')).toEqual({
      packets: 5,
      delivered: 4,
    });
    expect(countsOf('5 packets transmitted, 5 received')).toEqual({ packets: 5, delivered: 5 });
    expect(countsOf('700 frames received, 720 sent, 0 errors')).toEqual({ packets: 720, delivered: 700 });
    expect(countsOf('hello')).toEqual({ packets: 0, delivered: 0 });
  });

  it('gives Open vSwitch its CPUs as masks, and QEMU its paths with commas doubled', () => {
    const config = ovsConfig({ memoryMiB: 64, cpus: [1, 33], maxSleepUs: 50, mainCpu: 2 });
    expect(config).toContain('other_config:pmd-cpu-mask="0x200000002"');
    expect(config).toContain('other_config:dpdk-lcore-mask="0x4"');
    const machine = machineArguments({ memoryMiB: 64, qmpPath: '/a,b', accel: 'kvm', netdevs: [] });
    expect(machine).toContain('unix:/a,,b,server=on,wait=off');
    expect(machine).toEqual(expect.arrayContaining(['q35,accel=kvm', '-cpu', 'host']));
  });

  it('puts the socket of a link into the folder of its back end', () => {
    const end = (node: string, port: string, index: number) => ({ node, port, index });
    const links = [
      {
        ends: ['', ''] as const,
        front: end('vm', 'vhost0', 0),
        back: end('sw', 'port1', 1),
        server: 'front' as const,
      },
    ];
    const sockets = new LinkSockets('/t');
    const pathOf = (link: RealLink): string => sockets.pathOf(link);
    expect(devicesOf('vm', { nodes: [], links }, pathOf)).toEqual([
      { port: 'vhost0', peer: 'sw:port1', socket: '/t/sw/port1', listens: true },
    ]);
    expect(devicesOf('sw', { nodes: [], links }, pathOf)[1]).toEqual({
      port: 'port1',
      peer: 'vm:vhost0',
      socket: '/t/sw/port1',
      listens: false,
    });
    // a back end that takes over gets the socket where the front end is, from a path of its own
    const moved = { ...links[0], back: end('next', 'port1', 1) };
    expect(sockets.pathOf(moved)).toBe('/t/sw/port1');
    expect(sockets.successorOf(moved)).toBe('/t/next/port1.1');
    sockets.forget(moved);
    expect(sockets.pathOf(moved)).toBe('/t/next/port1');
  });
});
