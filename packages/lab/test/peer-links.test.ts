import { describe, expect, it } from 'vitest';
import { PeerLinks } from '../src/run/peer-links.ts';

const PLAN = Uint8Array.of(1, 2, 3);
const MEBIBYTE = 2 ** 20;

function links(): PeerLinks {
  const own = new PeerLinks('run', 'backend', PLAN);
  own.expect('nic', [7]);
  own.expect('guest', [3]);
  return own;
}

const quiet = async (): Promise<void> => undefined;

function batch(channel: number, payload: Uint8Array, more = false) {
  return {
    message: { case: 'batch' as const, value: { channel, sequence: 1n, count: 1, payload, more } },
  } as Parameters<PeerLinks['accept']>[1];
}

describe('the links of a process', () => {
  it('take everything off the stream at once, and hand over what a grant names, in order', async () => {
    const own = links();
    own.attach('nic', quiet);
    // nobody asks for any of it, and the sender never waits
    for (let i = 0; i < 100; i++) own.accept('nic', batch(7, new Uint8Array(MEBIBYTE).fill(i)));
    expect(own.has(7, 100)).toBe(true);
    expect(own.take(7, 2).map((bytes) => bytes[0])).toEqual([0, 1]);
    expect(own.take(7, 100).map((bytes) => bytes[0])).toEqual(Array.from({ length: 98 }, (_, i) => i + 2));
    expect(own.inbound()).toMatchObject([
      { channel: 3, batches: 0 },
      { channel: 7, batches: 100, payloadBytes: 100 * MEBIBYTE },
    ]);
  });

  it('refuse who joins twice, and who joins when all have met', async () => {
    const own = links();
    own.attach('nic', quiet);
    expect(() => own.attach('nic', quiet)).toThrow('nic is connected already.');
    own.attach('guest', quiet);
    await own.connected(['nic', 'guest'], 1000);
    expect(() => own.attach('switch', quiet)).toThrow(
      'switch comes late: backend has met all its neighbours in run run.',
    );
    expect(() => own.attach('nic', quiet)).toThrow('nic is connected already.');
    expect(own.fault).toBeUndefined();
  });

  it('refuse who is of another run or has another plan', () => {
    const own = links();
    const opening = { runId: 'run', process: 'nic', planSha256: PLAN } as Parameters<PeerLinks['check']>[0];
    expect(() => own.check(opening)).not.toThrow();
    expect(() => own.check({ ...opening, runId: 'old' })).toThrow('nic belongs to run old.');
    expect(() => own.check({ ...opening, planSha256: Uint8Array.of(1) })).toThrow('nic has another plan');
  });

  it('break by what a neighbour sends on a channel that is not its own', () => {
    const own = links();
    own.attach('nic', quiet);
    own.accept('nic', batch(3, Uint8Array.of(1)));
    expect(own.fault?.message).toBe('nic sent on channel 3, which is not its own.');
    expect(own.has(3, 1)).toBe(false);
  });

  it('tell a crash from an end in order', () => {
    const crashed = links();
    crashed.broke('nic', new Error('reset'));
    expect(crashed.fault?.message).toBe('its link to nic broke: reset');
    const closed = links();
    closed.close();
    expect(closed.fault?.message).toBe('The run was stopped.');
  });
});
