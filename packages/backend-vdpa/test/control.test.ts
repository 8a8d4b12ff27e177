import type { VhostRequestInit } from '@vhostlab/backend-sdk';
import {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
} from '@vhostlab/virtio-net';
import { describe, expect, it } from 'vitest';
import { ask, REFUSED_RING } from './rig.ts';

const OWNER: VhostRequestInit = { case: 'setOwner', value: {} };
const SUSPEND: VhostRequestInit = { case: 'suspend', value: {} };
const RESUME: VhostRequestInit = { case: 'resume', value: {} };
const BASE: VhostRequestInit = { case: 'getVringBase', value: { index: 0 } };

function status(bits: number): VhostRequestInit {
  return { case: 'setStatus', value: { status: bits } };
}

function ring(
  index: number,
  part: { num?: number; enable?: boolean; descriptorAddr?: bigint } = {},
): VhostRequestInit {
  const value = {
    index,
    num: 256,
    descriptorAddr: 4096n,
    driverAddr: 8192n,
    deviceAddr: 12_288n,
    enable: true,
  };
  return { case: 'setVring', value: { ...value, ...part } };
}

function map(iova: bigint, sizeBytes: bigint): VhostRequestInit {
  return { case: 'dmaMap', value: { iova, sizeBytes, access: 3, window: 'guest0', pageBytes: 4096n } };
}

const DRIVER = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
const FEATURES = DRIVER | STATUS_FEATURES_OK;
const FEATURES_REQUEST: VhostRequestInit = { case: 'setFeatures', value: { features: { bits: 1n << 32n } } };
/** A device that runs, as QEMU starts it. */
const STARTED = [
  OWNER,
  status(DRIVER),
  FEATURES_REQUEST,
  status(FEATURES),
  map(0n, 65_536n),
  ring(0),
  ring(1),
  status(FEATURES | STATUS_DRIVER_OK),
];

describe('vhost-vdpa', () => {
  it('hands a start to the parent device, in order', () => {
    const { answers, seen, core } = ask([{ case: 'getFeatures', value: {} }, ...STARTED]);
    expect(answers.map(({ error }) => error)).toEqual(answers.map(() => 0));
    expect(answers[0].answer).toBe('features');
    expect(seen).toEqual([
      'getFeatures',
      'setOwner',
      'setStatus',
      'setFeatures',
      'setStatus',
      'dmaMap',
      'setVring',
      'setVring',
      'setStatus',
    ]);
    expect(core('host.vdpa0').counters['setup.refused']).toBeUndefined();
  });

  it('carries requests out one at a time, in the order in which they came', () => {
    const { answers, seen } = ask(STARTED, true);
    expect(answers).toHaveLength(STARTED.length);
    expect(seen).toEqual(STARTED.map((request) => request.case));
  });

  it('stops and goes on: suspend, ring bases, resume', () => {
    const { answers, seen } = ask([...STARTED, SUSPEND, BASE, RESUME]);
    expect(answers.slice(-3).map(({ error, answer }) => `${error} ${answer}`)).toEqual([
      '0 ',
      '0 vringBase',
      '0 ',
    ]);
    expect(seen.slice(-3)).toEqual(['suspend', 'getVringBase', 'resume']);
  });

  it('has nothing to suspend before DRIVER_OK', () => {
    const { answers, seen } = ask([OWNER, SUSPEND, RESUME]);
    expect(answers.map(({ error }) => error)).toEqual([0, 0, 0]);
    expect(seen).toEqual(['setOwner']);
  });

  it('lets a ring move while the device is suspended, and turns one off while it runs', () => {
    const moved = ring(0, { descriptorAddr: 65_536n });
    const { answers } = ask([...STARTED, ring(1, { enable: false }), SUSPEND, moved, RESUME, moved]);
    expect(answers.slice(-5).map(({ error }) => error)).toEqual([0, 0, 0, 0, 0]);
  });

  it('starts anew after a reset by status 0', () => {
    const { answers } = ask([...STARTED, status(0), status(DRIVER), FEATURES_REQUEST, ring(0, { num: 64 })]);
    expect(answers.map(({ error }) => error)).toEqual(answers.map(() => 0));
  });

  it('forgets a suspension when the device is reset', () => {
    const again = STARTED.slice(1);
    const moved = ring(0, { descriptorAddr: 65_536n });
    const { answers } = ask([...STARTED, SUSPEND, { case: 'resetDevice', value: {} }, ...again, moved]);
    expect(answers[answers.length - 1].error).toBe(22);
  });

  it.each<[string, VhostRequestInit[], number, RegExp]>([
    ['a second owner', [OWNER, OWNER], 16, /has an owner/],
    ['memory from somebody who is not the owner', [map(0n, 4096n)], 1, /send SetOwner/],
    ['a mapping without bytes', [OWNER, map(4096n, 0n)], 22, /at 0x1000 has no bytes/],
    ['a mapping of half a page', [OWNER, map(4096n, 2048n)], 22, /whole pages of 4096 bytes/],
    ['status bits that go away', [OWNER, status(FEATURES), status(DRIVER)], 22, /FEATURES_OK is missing/],
    ['features after FEATURES_OK', [...STARTED, FEATURES_REQUEST], 16, /reset the device first/],
    [
      'a ring that moves while it runs',
      [...STARTED, ring(0, { descriptorAddr: 65_536n })],
      22,
      /after Suspend only/,
    ],
    ['a ring that is new after DRIVER_OK', [...STARTED, ring(5)], 22, /ring 5 can be moved/],
    [
      'a dirty log',
      [OWNER, { case: 'setLog', value: { enable: true } }],
      95,
      /no dirty log; migrate with suspend/,
    ],
    ['a miss', [OWNER, { case: 'iotlbMiss', value: { iova: 0n } }], 22, /sent by a back end/],
  ])('refuses %s, and the parent device does not see it', (_what, requests, error, reason) => {
    const { answers, seen, core } = ask(requests);
    const last = answers[answers.length - 1];
    expect(last.error).toBe(error);
    expect(last.reason).toMatch(reason);
    expect(seen).toHaveLength(requests.length - 1);
    expect(core('host.vdpa0').counters['setup.refused']).toBe(1);
  });

  it('passes a refusal of the parent device on and remembers nothing of it', () => {
    const { answers } = ask([
      OWNER,
      ring(REFUSED_RING),
      status(FEATURES | STATUS_DRIVER_OK),
      ring(REFUSED_RING),
    ]);
    expect(answers[1]).toEqual({ error: 22, reason: 'This device does not have that ring.', answer: '' });
    expect(answers[3].reason).toMatch(/can be moved/);
  });
});
