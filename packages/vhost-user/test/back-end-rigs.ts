import type { Fd } from '@vhostlab/host';
import { afterEach, expect } from 'vitest';
import {
  BACKEND_PROTOCOL_FEATURES,
  EMPTY,
  type FrontName,
  type Payload,
  type RefusalCode,
} from '../src/index.ts';
import { FakeDevice } from '../test-kit/index.ts';
import { Rig, type RigOptions } from './back-end-rig.ts';

const rigs: Rig[] = [];

/** Ends every rig after each test and checks that, whatever happened, everything was given back. Call it once per file. */
export function endRigs(): void {
  afterEach(async () => {
    for (const rig of rigs.splice(0)) {
      await rig.end();
      expect(rig.mapper.mapped.size).toBe(0);
      expect(rig.device.running.size).toBe(0);
      expect(rig.device.regions).toEqual([]);
    }
  });
}

/** A rig before any message. */
export function newRig(options: RigOptions = {}): Rig {
  const rig = new Rig(options);
  rigs.push(rig);
  return rig;
}

/** A rig after SET_FEATURES. `features` default to VERSION_1. */
export async function negotiatedRig(options: RigOptions = {}, features?: bigint): Promise<Rig> {
  const rig = newRig(options);
  await rig.negotiate(features);
  return rig;
}

/** The same with a device that offers these features. */
export function rigWith(features: bigint): Promise<Rig> {
  const device = new FakeDevice({ features, protocolFeatures: BACKEND_PROTOCOL_FEATURES });
  return negotiatedRig({ device }, features);
}

/** A rig with memory and both rings running. */
export async function runningRig(): Promise<Rig> {
  const rig = await negotiatedRig();
  await rig.shareMemory();
  for (const index of [0, 1]) expect(await rig.setUpRing(index)).toBe(0n);
  expect(rig.device.running.size).toBe(2);
  return rig;
}

/** Sends what must be refused with `code`, once with and once without need_reply, each on a rig of its own. */
export async function expectRefused(
  code: RefusalCode,
  name: FrontName,
  payload: Payload = EMPTY,
  fds: (rig: Rig) => Fd[] = () => [],
): Promise<void> {
  const told = await negotiatedRig();
  expect(await told.askNumber(name, payload, fds(told))).not.toBe(0n);
  expect(told.refusals.map((refusal) => refusal.code)).toEqual([code]);
  expect(told.refusals[0].clause).toMatch(/^vhost-user, /);
  // it lives on
  await told.sync();

  const untold = await negotiatedRig();
  untold.post(name, payload, fds(untold));
  expect((await untold.closed())?.code).toBe(code);
  expect(await untold.session.finished).toMatchObject({ why: 'violation' });
}
