import { describe, expect, it } from 'vitest';
import { type Culprit, judge, type QueueLook, type QueueMoment, type VerdictKind } from '../src/index.ts';

const REST: QueueMoment = {
  avail: 0,
  used: 0,
  driverFlags: 0,
  driverEvent: -1,
  deviceFlags: 0,
  deviceEvent: -1,
  isHidden: false,
  isFresh: false,
  kickPending: 0,
  callPending: 0,
};

type Change = Partial<Omit<QueueLook, 'first' | 'second'>> & {
  /** The ring at both looks. */
  at?: Partial<QueueMoment>;
  /** What was different at the first one. */
  before?: Partial<QueueMoment>;
};

function look({ at = {}, before = {}, ...rest }: Change): QueueLook {
  const second = { ...REST, ...at };
  return {
    queue: rest.direction === 'rx' ? 0 : 1,
    direction: 'tx',
    format: 'split',
    size: 256,
    hasEvents: false,
    isEnabled: true,
    tamperedKick: null,
    tamperedCall: null,
    first: { ...second, ...before },
    ...rest,
    second,
  };
}

type Case = readonly [what: string, kind: VerdictKind, culprit: Culprit | null, change: Change];

const events = { hasEvents: true } as const;
const rx = { direction: 'rx' } as const;
const packed = { format: 'packed', size: 7 } as const;
/** Packed event flags: off, and at a descriptor. */
const [OFF, DESC] = [1, 2];
const dropped = (avail: number, used: number) => ({ rule: 'drop kick', avail, used });
const droppedCall = (used: number) => ({ rule: 'drop call', avail: 0, used });

const TRANSMIT: readonly Case[] = [
  ['idle', 'healthy', null, { at: { avail: 12, used: 12 } }],
  ['moving', 'healthy', null, { at: { avail: 14, used: 12 }, before: { used: 11 } }],
  [
    'moving over the end of the index',
    'healthy',
    null,
    { at: { avail: 2, used: 1 }, before: { used: 65535 } },
  ],
  ['offered meanwhile', 'healthy', null, { at: { avail: 13, used: 11 }, before: { avail: 11 } }],
  [
    'back end armed meanwhile',
    'healthy',
    null,
    { ...events, at: { avail: 13, used: 11, deviceEvent: 12 }, before: { deviceEvent: 11 } },
  ],
  ['disabled', 'healthy', null, { isEnabled: false, at: { avail: 13, used: 11 } }],
  ['no kick came', 'lost kick', 'driver side', { at: { avail: 13, used: 11 } }],
  ['no kick came, index wrapped', 'lost kick', 'driver side', { at: { avail: 1, used: 65535 } }],
  ['a full ring, no kick came', 'lost kick', 'driver side', { at: { avail: 40, used: 65536 - 216 } }],
  [
    'a kick is unread',
    'back end asleep with work',
    'back end',
    { at: { avail: 13, used: 11, kickPending: 2 } },
  ],
  ['a kick was taken just now', 'healthy', null, { at: { avail: 13, used: 11 }, before: { kickPending: 1 } }],
  [
    'a kick came just now',
    'healthy',
    null,
    { at: { avail: 13, used: 11, kickPending: 1 }, before: { kickPending: 0 } },
  ],
  ['kick not known', 'unclear', null, { at: { avail: 13, used: 11, kickPending: null } }],
  [
    'a poller that sleeps',
    'back end asleep with work',
    'back end',
    { at: { avail: 13, used: 11, deviceFlags: 1 } },
  ],
  ['event passed', 'lost kick', 'driver side', { ...events, at: { avail: 13, used: 11, deviceEvent: 11 } }],
  [
    'event passed, both wrapped',
    'lost kick',
    'driver side',
    { ...events, at: { avail: 1, used: 65534, deviceEvent: 65535 } },
  ],
  [
    'event passed at the very wrap',
    'lost kick',
    'driver side',
    { ...events, at: { avail: 1, used: 65534, deviceEvent: 0 } },
  ],
  [
    'event not reached',
    'back end asleep with work',
    'back end',
    { ...events, at: { avail: 13, used: 11, deviceEvent: 13 } },
  ],
  [
    'event not reached, wrapped',
    'back end asleep with work',
    'back end',
    { ...events, at: { avail: 1, used: 65534, deviceEvent: 1 } },
  ],
  [
    'event behind',
    'back end asleep with work',
    'back end',
    { ...events, at: { avail: 13, used: 11, deviceEvent: 9 } },
  ],
  [
    'full, call due',
    'lost call',
    'back-end side',
    { ...events, at: { avail: 256, used: 256, driverEvent: 3 } },
  ],
  [
    'full, call unread',
    'driver asleep with work',
    'driver',
    { ...events, at: { avail: 256, used: 256, driverEvent: 3, callPending: 1 } },
  ],
  [
    'full, and the driver moves',
    'healthy',
    null,
    { ...events, at: { avail: 256, used: 256, driverEvent: 3 }, before: { driverEvent: 2 } },
  ],
  ['not full', 'healthy', null, { ...events, at: { avail: 100, used: 100, driverEvent: 3 } }],
  [
    'a leftover in the event word',
    'healthy',
    null,
    { ...events, at: { avail: 900, used: 900, driverEvent: 0 } },
  ],
  [
    'the tap took the kick',
    'lost kick',
    'tap',
    { at: { avail: 13, used: 11 }, tamperedKick: dropped(13, 11) },
  ],
  [
    'the tap took a kick for part of it',
    'lost kick',
    'tap',
    { at: { avail: 13, used: 11 }, tamperedKick: dropped(12, 10) },
  ],
  [
    'the tap took a kick long ago',
    'lost kick',
    'driver side',
    { at: { avail: 13, used: 11 }, tamperedKick: dropped(11, 10) },
  ],
  [
    'the tap took the kick at the wrap',
    'lost kick',
    'tap',
    { at: { avail: 1, used: 65535 }, tamperedKick: dropped(0, 65535) },
  ],
  ['more than the queue', 'broken ring', null, { at: { avail: 600, used: 3 } }],
  [
    'more than the queue for a moment',
    'healthy',
    null,
    { at: { avail: 600, used: 3 }, before: { avail: 3 } },
  ],
];

const RECEIVE: readonly Case[] = [
  ['with buffers', 'healthy', null, { at: { avail: 256, used: 3 } }],
  ['never filled', 'healthy', null, { at: { isFresh: true } }],
  ['refilled meanwhile', 'healthy', null, { at: { avail: 256, used: 256 }, before: { avail: 250 } }],
  [
    'empty, polling driver',
    'driver not refilling',
    'driver',
    { at: { avail: 256, used: 256, driverFlags: 1 } },
  ],
  ['empty, no call came', 'lost call', 'back-end side', { at: { avail: 256, used: 256 } }],
  ['empty at the wrap, no call came', 'lost call', 'back-end side', { at: { avail: 0, used: 0 } }],
  [
    'empty, a call is unread',
    'driver asleep with work',
    'driver',
    { at: { avail: 256, used: 256, callPending: 1 } },
  ],
  [
    'empty, a call was taken just now',
    'healthy',
    null,
    { at: { avail: 256, used: 256 }, before: { callPending: 1 } },
  ],
  [
    'empty, a call came just now',
    'healthy',
    null,
    { at: { avail: 256, used: 256, callPending: 1 }, before: { callPending: 0 } },
  ],
  ['empty, call not known', 'unclear', null, { at: { avail: 256, used: 256, callPending: null } }],
  [
    'empty, all of it taken',
    'driver not refilling',
    'driver',
    { ...events, at: { avail: 256, used: 256, driverEvent: 256 } },
  ],
  [
    'used event passed',
    'lost call',
    'back-end side',
    { ...events, at: { avail: 300, used: 50, driverEvent: 45 } },
  ],
  [
    'used event passed at the wrap',
    'lost call',
    'back-end side',
    { ...events, at: { avail: 200, used: 0, driverEvent: 65535 } },
  ],
  [
    'used event passed, driver moves',
    'healthy',
    null,
    { ...events, at: { avail: 300, used: 50, driverEvent: 45 }, before: { driverEvent: 44 } },
  ],
  ['used event armed', 'healthy', null, { ...events, at: { avail: 300, used: 50, driverEvent: 50 } }],
  ['used event armed ahead', 'healthy', null, { ...events, at: { avail: 300, used: 50, driverEvent: 60 } }],
  ['used event is a leftover', 'healthy', null, { ...events, at: { avail: 302, used: 50, driverEvent: 45 } }],
  [
    'the tap took the call',
    'lost call',
    'tap',
    { ...events, at: { avail: 300, used: 50, driverEvent: 45 }, tamperedCall: droppedCall(46) },
  ],
  [
    'the tap took an older call',
    'lost call',
    'back-end side',
    { ...events, at: { avail: 300, used: 50, driverEvent: 45 }, tamperedCall: droppedCall(45) },
  ],
  [
    'empty, the tap took the call',
    'lost call',
    'tap',
    { at: { avail: 256, used: 256 }, tamperedCall: droppedCall(256) },
  ],
  [
    'empty, the tap took an older call',
    'lost call',
    'back-end side',
    { at: { avail: 256, used: 256 }, tamperedCall: droppedCall(255) },
  ],
];

const PACKED: readonly Case[] = [
  ['tx, events on', 'lost kick', 'driver side', { at: { avail: 2, used: 12 } }],
  [
    'tx, events off',
    'back end asleep with work',
    'back end',
    { at: { avail: 2, used: 12, deviceFlags: OFF } },
  ],
  [
    'tx, event passed over the wrap',
    'lost kick',
    'driver side',
    { ...events, at: { avail: 2, used: 12, deviceFlags: DESC, deviceEvent: 13 } },
  ],
  [
    'tx, event not reached',
    'back end asleep with work',
    'back end',
    { ...events, at: { avail: 2, used: 12, deviceFlags: DESC, deviceEvent: 2 } },
  ],
  [
    'tx, event of the other lap',
    'back end asleep with work',
    'back end',
    { ...events, at: { avail: 2, used: 12, deviceFlags: DESC, deviceEvent: 6 } },
  ],
  [
    'tx, the tap took the kick',
    'lost kick',
    'tap',
    { at: { avail: 2, used: 12 }, tamperedKick: dropped(1, 12) },
  ],
  ['tx, half a list', 'unclear', null, { at: { isHidden: true } }],
  [
    'tx, half a list for a moment',
    'healthy',
    null,
    { at: { avail: 2, used: 12 }, before: { isHidden: true } },
  ],
  [
    'rx empty, polling',
    'driver not refilling',
    'driver',
    { ...rx, at: { avail: 9, used: 9, driverFlags: OFF } },
  ],
  ['rx empty, no call', 'lost call', 'back-end side', { ...rx, at: { avail: 9, used: 9 } }],
  [
    'rx, event passed',
    'lost call',
    'back-end side',
    { ...rx, ...events, at: { avail: 5, used: 1, driverFlags: DESC, driverEvent: 13 } },
  ],
  [
    'rx, event ahead',
    'healthy',
    null,
    { ...rx, ...events, at: { avail: 5, used: 1, driverFlags: DESC, driverEvent: 1 } },
  ],
  [
    'rx, calls switched off',
    'healthy',
    null,
    { ...rx, ...events, at: { avail: 5, used: 1, driverFlags: OFF, driverEvent: 13 } },
  ],
];

function expectVerdict(kind: VerdictKind, culprit: Culprit | null, change: Change): void {
  const verdict = judge(look(change));
  expect(verdict).toMatchObject({ kind, culprit });
  expect(verdict.text).toMatch(/^vq[01] avail \S+ used \S+: ./);
  expect(verdict.text).not.toMatch(/NaN|undefined|null/);
}

describe('judge', () => {
  it.each(TRANSMIT)('transmit queue, %s: %s', (_what, kind, culprit, change) => {
    expectVerdict(kind, culprit, change);
  });

  it.each(RECEIVE)('receive queue, %s: %s', (_what, kind, culprit, change) => {
    expectVerdict(kind, culprit, { ...rx, ...change });
  });

  it.each(PACKED)('packed ring, %s: %s', (_what, kind, culprit, change) => {
    expectVerdict(kind, culprit, { ...packed, ...change });
  });

  it('names queue, indices and what the tap did', () => {
    const change = { at: { avail: 1, used: 65535 }, tamperedKick: dropped(1, 65535) };
    expect(judge(look(change)).text).toBe(
      'vq1 avail 1 used 65535: 2 wait, the back end wants a kick for them, and none is pending: the tap\'s rule "drop kick" took it',
    );
    const { text } = judge(look({ ...packed, at: { avail: 2, used: 12 } }));
    expect(text).toMatch(/^vq1 avail 2:1 used 5:0: 4 wait, /);
  });

  it.each(['split', 'packed'] as const)(
    '%s: is silent while the back end moves, and blames no one for what it does not know',
    (format) => {
      const numbers = [0, 1, 2, 3, 4, 6, 7];
      const places = format === 'split' ? 65536 : 8;
      for (const [direction, hasEvents, pending] of combinations()) {
        for (const avail of numbers) {
          for (const used of numbers) {
            for (const flags of [0, 1, 2]) {
              for (const event of numbers) {
                const words = {
                  driverFlags: flags,
                  deviceFlags: flags,
                  driverEvent: event,
                  deviceEvent: event,
                };
                const at = { avail, used, ...words, kickPending: pending, callPending: pending };
                const base = { format, direction, hasEvents, size: 4, at };
                const still = judge(look(base));
                expect(still.kind === 'broken ring').toBe((avail - used + places) % places > 4);
                if (pending !== 0) expect(still.kind).not.toMatch(/^lost/);
                const moving = judge(look({ ...base, before: { used: (used + places - 1) % places } }));
                expect(moving.kind).toBe('healthy');
              }
            }
          }
        }
      }
    },
  );
});

function* combinations(): Generator<['rx' | 'tx', boolean, number | null]> {
  for (const direction of ['rx', 'tx'] as const) {
    for (const hasEvents of [false, true]) {
      for (const pending of [null, 0, 1]) yield [direction, hasEvents, pending];
    }
  }
}
