import { createClient, createGrpcTransport, framesV1 } from '@vhostlab/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { LinkEnd } from './support.ts';

const ends: LinkEnd[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map(({ link }) => link.stop()));
});

async function start(how: 'dial' | 'listen', address: string): Promise<LinkEnd> {
  const end = await LinkEnd.start(how, address);
  ends.push(end);
  return end;
}

async function pair(): Promise<[LinkEnd, LinkEnd]> {
  const far = await start('listen', '127.0.0.1:0');
  const near = await start('dial', far.link.address);
  await expect.poll(() => near.counters.connected + far.counters.connected, { timeout: 5000 }).toBe(2);
  return [near, far];
}

const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a link over gRPC', () => {
  it('carries every frame both ways in order, and counts them alike at both ends', async () => {
    const [near, far] = await pair();
    const got: [number[], number[]] = [[], []];
    const FRAMES = 10_000;
    for (let sent = 0; sent < FRAMES; ) {
      // within what the link has room for
      if (sent - Math.min(got[0].length, got[1].length) < 8192) {
        near.send(50);
        far.send(50);
        sent += 50;
      }
      got[0].push(...far.receive());
      got[1].push(...near.receive());
      await idle();
    }
    await expect
      .poll(() => {
        got[0].push(...far.receive());
        got[1].push(...near.receive());
        return got[0].length + got[1].length;
      })
      .toBe(2 * FRAMES);
    for (const numbers of got) expect(numbers.every((number, i) => number === i)).toBe(true);
    const [a, b] = [near.counters, far.counters];
    expect([a.sent_frames, a.received_frames, b.sent_frames, b.received_frames]).toEqual(
      Array(4).fill(FRAMES),
    );
    expect(a.sent_bytes).toBe(b.received_bytes);
    expect(b.received_bursts).toBe(a.sent_bursts);
    expect(a.sent_bursts).toBeLessThan(FRAMES / 10);
    expect(a.drop_link_full + b.drop_link_full + a.drop_beyond_credit + b.drop_beyond_credit).toBe(0);
    await expect.poll(() => near.counters.clock_error_ns, { timeout: 5000 }).toBeGreaterThan(0);

    // nobody takes frames at the other end: it fills up, and what has no room is counted
    let sent = 0;
    while (near.counters.drop_link_full < 1000) {
      near.send(64);
      sent += 64;
      if (sent % 4096 === 0) await idle();
    }
    await expect.poll(() => near.counters.waits).toBeGreaterThan(0);
    let taken = 0;
    await expect
      .poll(
        () => {
          taken += far.receive().length;
          return taken + near.counters.drop_link_full;
        },
        { timeout: 10_000 },
      )
      .toBe(sent);
    expect(far.counters.drop_beyond_credit).toBe(0);
  });

  it('connects again after the other end was gone, and counts what was lost', async () => {
    const [near, far] = await pair();
    const { address } = far.link;
    near.send(10);
    await expect.poll(() => far.receive().length).toBe(10);
    await far.link.stop();
    ends.splice(ends.indexOf(far), 1);
    await expect.poll(() => near.counters.connected).toBe(0);
    near.send(5);
    await expect.poll(() => near.counters.drop_link_down).toBe(5);
    const next = await start('listen', address);
    await expect.poll(() => near.counters.connected, { timeout: 8000 }).toBe(1);
    near.send(7);
    await expect.poll(() => next.receive().length).toBe(7);
    const { sent_frames, drop_link_lost, connections } = near.counters;
    expect([sent_frames, drop_link_lost, connections]).toEqual([17, 0, 2]);
    expect(near.lines.join('\n')).toMatch(
      /link to 127\.0\.0\.1:\d+: lost: the peer has ended .*; connects again/,
    );
  });

  it('has one peer, keeps strangers out, and survives what a peer sends', async () => {
    const [near, far] = await pair();
    const transport = createGrpcTransport(far.link.address);
    const client = createClient(framesV1.FrameLinkService, transport);
    const opening = { pair: 0, instance: 5n, limitBytes: 100n };
    const refused = async (pairNumber: number) => {
      const call = client.carry();
      await call.send({ message: { case: 'opening', value: { ...opening, pair: pairNumber } } });
      return call.receive();
    };
    await expect(refused(0)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(refused(3)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await expect(LinkEnd.start('listen', far.link.address)).rejects.toThrow(/in use/);
    await expect(LinkEnd.start('listen', '0.0.0.0:0')).rejects.toThrow(/certificates/);
    await expect(LinkEnd.start('dial', 'nonsense')).rejects.toThrow(/is not HOST:PORT/);
    await near.link.stop();
    ends.splice(ends.indexOf(near), 1);
    await expect.poll(() => far.counters.connected).toBe(0);

    const call = client.carry();
    await call.send({ message: { case: 'opening', value: opening } });
    expect((await call.receive())?.message.case).toBe('opening');
    const frames = new Uint8Array(200);
    new DataView(frames.buffer).setUint32(0, 60, true);
    new DataView(frames.buffer).setUint32(72, 5000, true);
    await call.send({ message: { case: 'burst', value: { sentNs: 1n, count: 3 } }, frames });
    await expect.poll(() => far.counters.received_frames).toBe(1);
    expect(far.counters.drop_no_frame).toBe(2);
    call.cancel();
    transport.close();
    await expect.poll(() => far.counters.connected).toBe(0);
  });
});
