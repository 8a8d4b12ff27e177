import { describe, expect, it } from 'vitest';
import { type LabFileEvent, linkRows, settableLink } from '../src/index.ts';

const links: [string, string][] = [
  ['a:vq0', 'host:vq0'],
  ['b:vq0', 'host:vq0'],
  ['card:wire', 'station:wire'],
];
const set = (at: string, settings: Omit<NonNullable<LabFileEvent['link']>, 'endpoints'>): LabFileEvent => ({
  at,
  link: { endpoints: ['nic0:wire', 'station:wire'], ...settings },
});

describe('links of a lab', () => {
  it('have the settings of all moments, each on top of those before', () => {
    const run_events = [
      set('2us', { loss: '1%' }),
      set('0ns', { jitter: '1us' }),
      set('2000ns', { rate: '1Gbps' }),
      set('1s', { loss: '0%', rate: 'line' }),
    ];
    const [first, , wire] = linkRows({ links, run_events, wire_latency_ns: 10_000 });
    expect(first).toMatchObject({ settings: [], fixed: expect.stringContaining('only the wire') });
    const plain = { delay: '0ns', jitter: '1us', loss: '0%', corrupt: '0%', rate: 'line' };
    expect(wire).toEqual({
      endpoints: links[2],
      latency_ns: 10_000,
      settings: [
        { from: '0ns', ...plain },
        { from: '2us', ...plain, loss: '1%', rate: '1Gbps' },
        { from: '1s', ...plain },
      ],
    });
  });

  it('are named by an end of their own, or by both', () => {
    const lab = { name: 'x', links };
    expect(settableLink(lab, 'card:wire')).toEqual(links[2]);
    expect(settableLink(lab, 'station:wire,card:wire')).toEqual(links[2]);
    expect(() => settableLink(lab, 'host:vq0')).toThrow(
      'host:vq0 is an end of several links; name both ends: a:vq0,host:vq0 or b:vq0,host:vq0',
    );
    expect(() => settableLink(lab, 'b:vq0,host:vq0')).toThrow(/^b:vq0,host:vq0: only the wire/);
    expect(() => settableLink(lab, 'eth0')).toThrow(
      /^lab x has no link "eth0"; there are a:vq0,host:vq0 b:vq0/,
    );
  });

  it('cannot be set on the real clock', () => {
    const real = {
      name: 'x',
      clock: 'real' as const,
      links: [['vm:vhost0', 'bridge:port0']] as [string, string][],
    };
    expect(() => settableLink(real, 'vm:vhost0')).toThrow(/frames lie in memory that both ends share/);
    expect(linkRows(real)[0].fixed).toContain('vhost-user socket');
  });
});
