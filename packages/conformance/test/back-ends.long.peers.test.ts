import { describe, expect, it } from 'vitest';
import { checksOf, type Report, selectChecks } from '../src/index.ts';
import { knownOf, NET_VHOST, type RealPeer, runReal, STORAGE_DAEMON } from './support/real-peers.ts';
import { failuresOf } from './support/run-mutant.ts';

/**
 * The probe that these checks grew from, made by hand with both back ends: inputs on which they disagree, and some on
 * which they agree. What DPDK's net_vhost (22.11) and libvhost-user (QEMU 7.2) do with each.
 */
const PROBE: readonly (readonly [string, RegExp, RegExp])[] = [
  ['msg.unknown-99', /^reply 1, stays/, /^reply 0, then closes/],
  ['msg.unknown-99-unasked', /^closes/, /^closes/],
  ['num.300', /^reply 1, stays/, /^reply 0, stays/],
  ['index.65536.SET_VRING_NUM', /^closes/, /SIGSEGV|silent|reply 0|closes/],
  ['order.base-before-start', /^base 0/, /^base 0/],
  ['iotlb.type-0', /^reply 1, stays/, /^reply 0, then closes/],
  ['order.features-unoffered', /^reply 1, stays/, /^reply 0, stays/],
  ['fd.stray-1.GET_FEATURES', /^closes/, /^a reply, stays/],
  ['mem.nregions-9-short', /^reply 1, stays/, /^reply 0, then closes/],
  ['mem.size-overflow', /^reply 1, stays/, /^reply 0, stays/],
  ['mem.beyond-file', /^reply 0, stays/, /^reply 0, stays/],
  ['mem.overlap-gpa', /^reply 0, stays/, /^reply 0, stays/],
  ['addr.outside', /^reply 0, stays/, /^reply 0, then closes/],
  ['msg.size-5000', /^closes/, /^closes/],
  ['msg.version-2', /^reply 0, stays/, /^reply 0, stays/],
];

/** Runs everything against a peer and compares with what is known of it, and with its column of the probe. */
async function reproduce(peer: RealPeer, column: 1 | 2): Promise<Report> {
  const checks = checksOf('back end');
  const report = await runReal(peer, checks, knownOf(peer));
  expect(failuresOf(report)).toEqual([]);
  expect(report.results).toHaveLength(checks.length);
  for (const row of PROBE) {
    const { observed } = report.results.find(({ check }) => check.id === row[0])!;
    expect(observed, row[0]).toMatch(row[column]);
  }
  return report;
}

describe('conform', () => {
  it("finds what DPDK's net_vhost is known for, and nothing else", async () => {
    const { peer, counts } = await reproduce(NET_VHOST, 1);
    expect(peer).toMatchObject({ transmits: true, echoes: true });
    expect(counts.passed).toBeGreaterThan(150);
    expect(counts.died).toBeGreaterThan(0);
  });

  it('finds what libvhost-user in qemu-storage-daemon is known for, and nothing else', async () => {
    const { counts } = await reproduce(STORAGE_DAEMON, 2);
    expect(counts.died).toBeGreaterThan(5);
    expect(counts.acknowledged).toBeGreaterThan(40);
  });

  it('finds otherwise when something else is expected', async () => {
    const checks = selectChecks(checksOf('back end'), ['msg.unknown-99']);
    if (typeof checks === 'string') throw new Error(checks);
    const wrong = [{ pattern: 'msg.*', verdicts: ['died' as const], reason: 'it was so once' }];
    const report = await runReal(STORAGE_DAEMON, checks, wrong);
    expect(report.failures).toBe(1);
  });
});
