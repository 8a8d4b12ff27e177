import { expect, it } from 'vitest';
import { checksOf, selectChecks } from '../src/index.ts';

const CHECKS = [...checksOf('back end'), ...checksOf('front end')];

/** The bad inputs that a peer can send, by number, and the checks that try each part of one. */
const ITEMS: Readonly<Record<number, readonly string[]>> = {
  1: ['msg.truncated-header-*', 'msg.silence-after-header', 'msg.byte-at-a-time', 'msg.two-in-one'],
  2: ['msg.size-0.*', 'msg.size-5000', 'msg.size-2^32-1', 'msg.size-short.*', 'msg.size-long.*'],
  3: ['msg.version-0', 'msg.version-2', 'msg.version-3', 'msg.reply-bit', 'msg.reserved-flags'],
  4: ['msg.unknown-99', 'msg.unknown-99-unasked', 'msg.unknown-0'],
  5: [
    'fd.stray-1.*',
    'fd.stray-8.*',
    'fd.stray-253.*',
    'fd.missing.*',
    'fd.fewer-than-regions',
    'fd.memory-*',
    'fd.kick-*',
  ],
  6: ['fd.second-part'],
  7: ['leak.GET_INFLIGHT_FD', 'leak.SET_VRING_NUM', 'leak.SET_MEM_TABLE', 'leak.SET_BACKEND_REQ_FD'],
  8: ['storm.close-at-every-byte', 'storm.reconnect'],
  9: ['reply.acknowledges', 'reply.unasked'],
  10: ['mem.nregions-0', 'mem.nregions-9', 'mem.nregions-2^32-1'],
  11: ['mem.size-0', 'mem.size-overflow', 'mem.offset-overflow', 'mem.gpa-wrap', 'mem.uva-wrap'],
  12: ['mem.beyond-file', 'mem.truncated-file'],
  13: ['mem.overlap-gpa', 'mem.overlap-uva', 'mem.unaligned-offset', 'mem.unaligned-huge'],
  14: ['mem.remove-unknown', 'mem.remove-live-ring', 'mem.add-beyond-slots', 'mem.table-while-running'],
  15: ['index.beyond-last.*', 'index.65536.*', 'index.255.*', 'index.65536.GET_VRING_BASE'],
  16: ['num.0', 'num.3', 'num.32769', 'num.65536', 'addr.num-beyond-memory'],
  17: [
    'addr.outside',
    'addr.past-end',
    'addr.*-unaligned',
    'addr.same',
    'addr.overlap',
    'addr.no-translation',
  ],
  18: [
    'order.kick-first',
    'order.enable-first',
    'order.base-*',
    'order.features-*',
    'order.protocol-unoffered',
    'order.inband-*',
  ],
  19: [
    'event.kick-is-call',
    'event.*-is-the-socket',
    'event.kick-always-readable',
    'event.call-full-*',
    'event.call-without-reader',
  ],
  20: ['ring.split.avail-jump', 'ring.split.avail-backwards', 'ring.kick-flood'],
  21: [
    'ring.split.head-size',
    'ring.split.next-size',
    'ring.split.next-loop',
    'ring.split.zero-loop',
    'ring.*.chain-2^32',
  ],
  22: [
    'ring.*.indirect-without-feature',
    'ring.*.indirect-len-24',
    'ring.*.indirect-len-0',
    'ring.*.indirect-over-queue',
    'ring.*.indirect-nested',
    'ring.split.indirect-then-next',
    'ring.*.indirect-unaligned',
    'ring.*.indirect-crossing',
    'ring.*.indirect-in-the-ring',
    'ring.*.indirect-itself',
  ],
  23: [
    'ring.*.write-then-read',
    'ring.*.rx-read-only',
    'ring.*.tx-writable',
    'ring.*.tx-zero-length',
    'ring.*.tx-address-*',
    'ring.*.tx-in-the-ring',
  ],
  24: ['ring.*.rx-header-short', 'ring.*.header-byte-by-byte', 'ring.*.header-only'],
  25: [
    'ring.*.hdr-gso-unknown',
    'ring.*.hdr-gso-size-0',
    'ring.*.hdr-gso-hdr-len',
    'ring.*.hdr-csum-*',
    'ring.*.hdr-num-buffers',
    'ring.*.hdr-flags-all',
  ],
  26: ['ring.*.frame-13', 'ring.*.frame-65535', 'ring.*.frame-9014'],
  27: ['ring.split.rewritten-*'],
  28: ['ring.split.used-idx-scribbled'],
  29: ['ring.split.used-event', 'ring.split.no-interrupt-toggled', 'ring.packed.event-*'],
  30: [
    'ring.packed.both-bits',
    'ring.packed.id-twice',
    'ring.packed.id-64',
    'ring.packed.next-for-ever',
    'ring.packed.next-torn',
  ],
  31: [
    'fe.*.used-never-offered',
    'fe.*.used-twice',
    'fe.split.used-id-size',
    'fe.split.used-len-over',
    'fe.split.used-idx-jump',
    'fe.split.used-idx-torn',
  ],
  32: [
    'fe.channel.size-*',
    'fe.channel.unknown',
    'fe.channel.notifier-*',
    'fe.channel.iotlb-miss-flood',
    'fe.channel.config-change-flood',
  ],
  33: ['fe.reply.other-request.*', 'fe.reply.size-*', 'fe.reply.unasked', 'fe.reply.descriptors'],
  34: ['log.smaller-than-memory', 'log.beyond-file', 'log.used-ring-outside', 'log.offset-overflow'],
  35: [
    'inflight.num-queues',
    'inflight.size-small',
    'inflight.garbage-version',
    'inflight.garbage-desc-num',
    'inflight.garbage-batch-head',
  ],
  36: ['state.direction-2', 'state.phase-1', 'state.endless', 'state.never-ends'],
};

it('there are 36 bad inputs, and no check is of another', () => {
  expect(Object.keys(ITEMS)).toHaveLength(36);
  expect(CHECKS.filter(({ item }) => ITEMS[item] === undefined)).toEqual([]);
});

it.each(Object.entries(ITEMS))('every part of bad input %s is tried', (item, patterns) => {
  const own = CHECKS.filter((check) => check.item === Number(item));
  for (const pattern of patterns) {
    const found = selectChecks(own, [pattern]);
    expect(typeof found === 'string' ? found : found.length).toBeGreaterThan(0);
  }
});
