import { parseArgs } from 'node:util';
import { RealThread } from '../../packages/engine/src/index.ts';
import { eventFd, monotonicMs, reserveArena } from '../../packages/host/src/index.ts';
import { Arena } from '../../packages/memory/src/index.ts';
import type { WorkerCommand } from '../../packages/vhost-device/src/control/commands.ts';
import { KickWatch } from '../../packages/vhost-device/src/plugin/kick-watch.ts';
import { PluginDevice } from '../../packages/vhost-device/src/plugin/plugin-device.ts';
import { pluginHost } from '../../packages/vhost-device/src/plugin/plugin-host.ts';
import { planPlugin } from '../../packages/vhost-device/src/plugin/plugin-plan.ts';
import { DEFAULT_PLUGIN_SPEC, type PluginName } from '../../packages/vhost-device/src/plugin/plugin-spec.ts';
import { VhostChannel } from '../../packages/vhost-device/src/plugin/vhost-channel.ts';
import { VhostVmm } from '../../packages/vhost-device/src/plugin/vhost-vmm.ts';
import { SharedStatistics } from '../../packages/vhost-device/src/stats/shared-statistics.ts';
import { GUEST_BYTES, RingGuest } from '../../packages/vhost-device/test/plugin/ring-guest.ts';
import type { RingFormat } from '../../packages/virtqueue/src/index.ts';

const BURST = 64;
/** Turns in which a burst has surely gone through, those that find nothing among them. */
const TURNS = 16;
const WARM_UP = 500;
const PS_PER_MS = 1e9;
const CASES: readonly (readonly [PluginName, RingFormat])[] = [
  ['vhost-user', 'split'],
  ['vhost-user', 'packed'],
  ['user-interrupt', 'split'],
];

/** Frames of `length` bytes with an experimental EtherType, from one guest to the other. */
function frames(from: number, length: number, count: number): Uint8Array[] {
  const frame = new Uint8Array(length);
  frame.set([2, 0, 0, 0, 0, 1 - from, 2, 0, 0, 0, 0, from, 0x88, 0xb5]);
  return new Array<Uint8Array>(count).fill(frame);
}

/** Nanoseconds per frame of each round: a plugin's thread alone, both guests' work left out. */
async function measure(
  plugin: PluginName,
  format: RingFormat,
  length: number,
  rounds: number,
): Promise<number[]> {
  const spec = { ...DEFAULT_PLUGIN_SPEC, plugin };
  const host = pluginHost(spec, 2, 1);
  const mapped = reserveArena(host.ownBytes + 2 * GUEST_BYTES);
  mapped.mapAnonymous(0, host.ownBytes);
  const arena = new Arena(mapped.buffer);
  const statistics = new SharedStatistics(2, 2);
  const { address, sizeBytes } = mapped;
  const place = { cpus: [], arena: { address, sizeBytes }, ownOffset: 0, statistics: statistics.buffer };
  const { components, modules, offered } = planPlugin(spec, 2, 1);
  const thread = new RealThread(components, modules, {
    arena: arena.within(0, host.ownBytes),
    profile: host.config(place).profile,
    readPs: () => monotonicMs() * PS_PER_MS,
    window: (id) => (id.startsWith('guest') ? 0 : undefined),
    notify: () => undefined,
  });
  const wake = eventFd();
  const kicks = new KickWatch(wake.number);
  const guests = [0, 1].map((number) => {
    const vmm = new VhostVmm([new VhostChannel(thread, number, 0)], offered);
    const device = new PluginDevice(number, { arena, vmm, statistics, kicks, note: () => undefined });
    const order = (command: WorkerCommand): Promise<unknown> => Promise.resolve(device.handle(command));
    return new RingGuest(
      number,
      format,
      { mapped, arena, offset: host.ownBytes + number * GUEST_BYTES },
      order,
    );
  });
  const [left, right] = guests as [RingGuest, RingGuest];
  const turns = (): void => {
    kicks.sleep(0);
    for (let turn = 0; turn < TURNS; turn++) thread.turn();
  };
  for (const guest of guests) await guest.start();
  right.send(frames(1, length, 1));
  turns();
  left.receive();
  const burst = frames(0, length, BURST);
  const times: number[] = [];
  for (let round = 0; round < WARM_UP + rounds; round++) {
    left.send(burst);
    kicks.sleep(0);
    const from = monotonicMs();
    for (let turn = 0; turn < TURNS; turn++) thread.turn();
    const spent = monotonicMs() - from;
    const arrived = right.receive().length;
    if (round < WARM_UP) continue;
    if (arrived !== BURST || !left.sent) throw new Error(`${plugin}: ${arrived} of ${BURST} frames arrived`);
    times.push((spent * 1e6) / BURST);
  }
  for (const guest of guests) guest.close();
  kicks.close();
  wake.close();
  mapped.release();
  return times.sort((a, b) => a - b);
}

/**
 * `npm run bench -- switch [--size BYTES] [--rounds N]`: what a frame costs from one guest to the other through a back-end
 * plugin and the project's switch on the real clock. One thread takes turns with both guests, so no peer is waited for
 * and no other core helps; guests' own work is not in the figures.
 */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { size: { type: 'string', default: '64' }, rounds: { type: 'string', default: '20000' } },
  });
  const length = Number(values.size) - 4;
  for (const [plugin, format] of CASES) {
    const times = await measure(plugin, format, length, Number(values.rounds));
    const at = (part: number): number => times[Math.floor((times.length - 1) * part)] as number;
    const [low, middle, high] = [at(0.1), at(0.5), at(0.9)];
    console.log(
      `${plugin}, ${format}, ${values.size} bytes: ${middle.toFixed(0)} ns per frame ` +
        `(10 % ${low.toFixed(0)}, 90 % ${high.toFixed(0)}), ${(1000 / middle).toFixed(2)} Mpps`,
    );
  }
}
