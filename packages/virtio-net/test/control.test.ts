import { build, DecodedHeaders, decodeInto, MICROSOFT_RSS_KEY, RssHasher } from '@vhostlab/packet';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  ControlQueue,
  CTRL_ERR,
  CTRL_OK,
  CTRL_RX,
  encodeAnnounceAck,
  encodeCoalescing,
  encodeGuestOffloads,
  encodeHash,
  encodeMacAddress,
  encodeMacTable,
  encodeQueueCoalescing,
  encodeQueueCoalescingGet,
  encodeQueuePairs,
  encodeRss,
  encodeRxMode,
  encodeVlan,
  FEATURES,
  FeatureSet,
  NetConfig,
} from '../src/index.ts';

const MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const OTHER = [0x52, 0x54, 0, 0xaa, 0xaa, 0xaa];
const GROUP = [0x01, 0x00, 0x5e, 0, 0, 1];
const BROADCAST = Array(6).fill(0xff);
const ALL = FeatureSet.of(...FEATURES.map((feature) => feature.name));
const RSS = {
  hashTypes: 0x3f,
  table: [3, 2, 1, 0],
  unclassifiedQueue: 2,
  maxTxQueues: 4,
  key: MICROSOFT_RSS_KEY,
};

let config: NetConfig;
let control: ControlQueue;
let log: string[];

beforeEach(() => {
  log = [];
  config = new NetConfig({ mac: MAC, maxQueuePairs: 4 });
  control = new ControlQueue(config, {
    onPairs: (pairs) => log.push(`pairs ${pairs}`),
    onOffloads: (offloads) => log.push(`offloads ${offloads}`),
    onCoalescing: (queue, { maxPackets }) => log.push(`coalescing ${queue} ${maxPackets}`),
  });
  control.reset(ALL);
});

const run = (command: Uint8Array) => control.execute(command, 0, command.length);
const accepts = (mac: number[], vlan = -1) => control.filter.accepts(Uint8Array.from([9, ...mac]), 1, vlan);

/** Refuses the command without one byte, with one too many, and where none of the features was negotiated. */
function expectExactLength(command: Uint8Array): void {
  expect(control.execute(command, 0, command.length - 1)).toBe(CTRL_ERR);
  expect(run(Uint8Array.from([...command, 0]))).toBe(CTRL_ERR);
  const bare = new ControlQueue(config);
  expect(bare.execute(command, 0, command.length)).toBe(CTRL_ERR);
  expect(bare.lastRefusal).toBe('not-negotiated');
}

describe('receive filter', () => {
  it('starts promiscuous', () => {
    expect(accepts(OTHER, 5)).toBe(true);
  });

  it('takes its own address, the tables and broadcast', () => {
    expect(run(encodeRxMode(CTRL_RX.PROMISC, false))).toBe(CTRL_OK);
    expect([MAC, OTHER, GROUP, BROADCAST].map((mac) => accepts(mac))).toEqual([true, false, false, true]);
    expect(run(encodeMacTable([OTHER], [GROUP]))).toBe(CTRL_OK);
    expect([MAC, OTHER, GROUP].map((mac) => accepts(mac))).toEqual([true, true, true]);
    expect(accepts([...OTHER.slice(0, 5), 1])).toBe(false);
    expect(run(encodeMacAddress(OTHER))).toBe(CTRL_OK);
    run(encodeMacTable([], []));
    expect([MAC, OTHER].map((mac) => accepts(mac))).toEqual([false, true]);
    expect([...config.mac]).toEqual(OTHER);
    control.reset(ALL);
    expect([...config.mac]).toEqual(MAC);
  });

  it('has the modes of virtio 1.3, 5.1.6.5.1', () => {
    run(encodeRxMode(CTRL_RX.PROMISC, false));
    run(encodeRxMode(CTRL_RX.ALLUNI, true));
    run(encodeRxMode(CTRL_RX.ALLMULTI, true));
    expect([OTHER, GROUP].map((mac) => accepts(mac))).toEqual([true, true]);
    run(encodeRxMode(CTRL_RX.NOUNI, true));
    run(encodeRxMode(CTRL_RX.NOMULTI, true));
    run(encodeRxMode(CTRL_RX.NOBCAST, true));
    expect([MAC, GROUP, BROADCAST].map((mac) => accepts(mac))).toEqual([false, false, false]);
  });

  it('passes everything of a kind whose table overflows', () => {
    run(encodeRxMode(CTRL_RX.PROMISC, false));
    const many = Array.from({ length: 65 }, (_, i) => [2, 0, 0, 0, 0, i]);
    expect(run(encodeMacTable(many, []))).toBe(CTRL_OK);
    expect([OTHER, GROUP].map((mac) => accepts(mac))).toEqual([true, false]);
  });

  it('filters VLANs once CTRL_VLAN is negotiated', () => {
    run(encodeRxMode(CTRL_RX.PROMISC, false));
    expect(accepts(MAC, 7)).toBe(false);
    expect(run(encodeVlan(7, true))).toBe(CTRL_OK);
    expect([accepts(MAC, 7), accepts(MAC, 8), accepts(MAC)]).toEqual([true, false, true]);
    run(encodeVlan(7, false));
    expect(accepts(MAC, 7)).toBe(false);
    expect(run(encodeVlan(4096, true))).toBe(CTRL_ERR);
    control.reset(ALL.without('CTRL_VLAN'));
    control.filter.promiscuous = false;
    expect(accepts(MAC, 7)).toBe(true);
  });
});

describe('commands', () => {
  it('have the bytes of the specification', () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    expect(hex(encodeRxMode(CTRL_RX.ALLMULTI, true))).toBe('000101');
    expect(hex(encodeMacTable([MAC], []))).toBe('01000100000052540012345600000000');
    expect(hex(encodeVlan(0x123, false))).toBe('02012301');
    expect(hex(encodeAnnounceAck())).toBe('0300');
    expect(hex(encodeQueuePairs(2))).toBe('04000200');
    expect(hex(encodeRss({ ...RSS, table: [0, 1], key: Uint8Array.of(0xab) }))).toBe(
      '0401' + '3f000000' + '0100' + '0200' + '00000100' + '0400' + '01' + 'ab',
    );
    expect(hex(encodeHash(2, Uint8Array.of(0xab)))).toBe(
      '0402' + '02000000' + '0000000000000000' + '01' + 'ab',
    );
    expect(hex(encodeGuestOffloads(FeatureSet.of('GUEST_TSO4', 'GUEST_USO4')))).toBe(
      '0500' + '8000000000004000',
    );
    expect(hex(encodeCoalescing(true, 16, 300))).toBe('0601' + '10000000' + '2c010000');
    expect(hex(encodeQueueCoalescing(3, 16, 300))).toBe('0602' + '03000000' + '10000000' + '2c010000');
    expect(hex(encodeQueueCoalescingGet(3))).toBe('0603' + '03000000');
  });

  it('need their exact length and their feature', () => {
    for (const command of [
      encodeRxMode(CTRL_RX.PROMISC, true),
      encodeRxMode(CTRL_RX.NOUNI, true),
      encodeMacTable([MAC, OTHER], [GROUP]),
      encodeMacAddress(MAC),
      encodeVlan(1, true),
      encodeQueuePairs(1),
      encodeRss(RSS),
      encodeHash(2, MICROSOFT_RSS_KEY),
      encodeGuestOffloads(FeatureSet.of('GUEST_CSUM')),
      encodeCoalescing(true, 1, 1),
      encodeQueueCoalescing(1, 1, 1),
      encodeQueueCoalescingGet(1),
    ]) {
      expectExactLength(command);
    }
    expect(run(Uint8Array.of(0))).toBe(CTRL_ERR);
    expect(control.lastRefusal).toBe('truncated');
    expect(run(Uint8Array.of(7, 0))).toBe(CTRL_ERR);
    expect(control.lastRefusal).toBe('unknown-command');
  });

  it('set the number of queue pairs', () => {
    expect([0, 5, 0xffff].map((pairs) => run(encodeQueuePairs(pairs)))).toEqual(Array(3).fill(CTRL_ERR));
    expect(control.steering.pairs).toBe(1);
    expect(run(encodeQueuePairs(4))).toBe(CTRL_OK);
    expect(control.steering.pairs).toBe(4);
    expect(log).toEqual(['pairs 4']);
  });

  it('acknowledge an announcement once', () => {
    expect(run(encodeAnnounceAck())).toBe(CTRL_ERR);
    expect(config.setAnnounce(true)).toBe(true);
    expect(config.announcing).toBe(true);
    expect(run(encodeAnnounceAck())).toBe(CTRL_OK);
    expect(config.announcing).toBe(false);
    expect(config.linkUp).toBe(true);
  });

  it('switch only negotiated receive offloads', () => {
    control.reset(ALL.without('GUEST_TSO6'));
    expect(run(encodeGuestOffloads(FeatureSet.of('GUEST_CSUM', 'GUEST_TSO6')))).toBe(CTRL_ERR);
    expect(run(encodeGuestOffloads(FeatureSet.of('CSUM')))).toBe(CTRL_ERR);
    expect(control.offloads.has('GUEST_TSO4')).toBe(true);
    expect(run(encodeGuestOffloads(FeatureSet.of('GUEST_CSUM')))).toBe(CTRL_OK);
    expect(control.offloads.names()).toEqual(['GUEST_CSUM']);
    expect(log).toEqual(['offloads GUEST_CSUM']);
  });

  it('set and tell notification coalescing', () => {
    expect(run(encodeCoalescing(true, 16, 300))).toBe(CTRL_OK);
    expect(log).toEqual([0, 2, 4, 6].map((queue) => `coalescing ${queue} 16`));
    expect(run(encodeQueueCoalescing(1, 8, 50))).toBe(CTRL_OK);
    expect(run(encodeQueueCoalescing(8, 8, 50))).toBe(CTRL_ERR);
    const memory = new Uint8Array(32);
    memory.set(encodeQueueCoalescingGet(1));
    expect(control.execute(memory, 0, 6, 16, 7)).toBe(CTRL_ERR);
    expect(control.lastRefusal).toBe('result-space');
    expect(control.execute(memory, 0, 6, 16, 8)).toBe(CTRL_OK);
    expect(control.resultBytes).toBe(8);
    expect([...memory.subarray(16, 24)]).toEqual([8, 0, 0, 0, 50, 0, 0, 0]);
    control.reset(ALL);
    expect(control.coalescing[1]).toEqual({ maxPackets: 0, maxMicroseconds: 0 });
  });

  it('never throw and never change the state when they are refused', () => {
    const command = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.nat(9), fc.nat(6), fc.uint8Array({ maxLength: 70 }))
        .map(([a, b, rest]) => Uint8Array.of(a, b, ...rest)),
    );
    const state = () =>
      JSON.stringify([
        control.steering.pairs,
        control.steering.rss,
        control.offloads.toHex(),
        control.coalescing,
        [...config.mac],
        control.filter,
      ]);
    fc.assert(
      fc.property(command, (bytes) => {
        const before = state();
        const ack = run(bytes);
        expect(ack === CTRL_OK || ack === CTRL_ERR).toBe(true);
        if (ack === CTRL_ERR) expect(state()).toBe(before);
      }),
    );
  });
});

describe('receive steering', () => {
  const frame = (srcPort: number, swapped = false) => {
    const [src, dst] = swapped ? ['10.0.0.2', '10.0.0.1'] : ['10.0.0.1', '10.0.0.2'];
    return build([
      { kind: 'ethernet', dst: '52:54:00:00:00:02', src: '52:54:00:00:00:01' },
      { kind: 'ipv4', src, dst },
      swapped ? { kind: 'udp', srcPort: 80, dstPort: srcPort } : { kind: 'udp', srcPort, dstPort: 80 },
    ]);
  };
  const headers = new DecodedHeaders();
  const select = (bytes: Uint8Array) => {
    decodeInto(bytes, 0, bytes.length, headers);
    return control.steering.select(bytes, 0, headers);
  };

  it('uses receiveq1 alone until the driver asks for more', () => {
    expect([1, 2, 3, 4, 5].map((port) => select(frame(port)))).toEqual([0, 0, 0, 0, 0]);
  });

  it('brings a flow back to the queue that it was sent on', () => {
    run(encodeQueuePairs(4));
    for (const port of [10, 11, 12, 13]) {
      const sent = frame(port, true);
      for (const queue of [0, 1, 2, 3]) {
        decodeInto(sent, 0, sent.length, headers);
        control.steering.learn(sent, 0, headers, queue);
        expect(select(frame(port))).toBe(queue);
      }
    }
    run(encodeQueuePairs(2));
    expect(select(frame(13))).toBeLessThan(2);
  });

  it('spreads unknown flows over all queues in use', () => {
    run(encodeQueuePairs(4));
    const seen = new Set(Array.from({ length: 200 }, (_, port) => select(frame(port))));
    expect([...seen].sort()).toEqual([0, 1, 2, 3]);
  });

  it('follows the indirection table', () => {
    expect(run(encodeRss(RSS))).toBe(CTRL_OK);
    const hasher = new RssHasher();
    for (let port = 0; port < 20; port++) {
      const bytes = frame(port);
      decodeInto(bytes, 0, bytes.length, headers);
      hasher.hash(bytes, 0, headers);
      expect(select(bytes)).toBe(3 - (hasher.value & 3));
      expect([control.steering.hashValue, control.steering.hashReport]).toEqual([hasher.value, 3]);
    }
    const arp = Uint8Array.from([...Array(12).fill(2), 0x88, 0xcc, ...Array(46).fill(0)]);
    expect(select(arp)).toBe(2);
    run(encodeQueuePairs(1));
    expect(select(arp)).toBe(0);
  });

  it('refuses tables and keys that the device does not have', () => {
    const refused = [
      { ...RSS, table: [0, 1, 2] },
      { ...RSS, table: [4] },
      { ...RSS, table: Array(256).fill(0) },
      { ...RSS, unclassifiedQueue: 4 },
      { ...RSS, maxTxQueues: 0 },
      { ...RSS, maxTxQueues: 5 },
      { ...RSS, hashTypes: 0x1ff },
      { ...RSS, key: new Uint8Array(41) },
      { ...RSS, key: new Uint8Array(0) },
    ];
    for (const rss of refused) {
      expect(run(encodeRss(rss))).toBe(CTRL_ERR);
      expect(control.lastRefusal).toBe('value');
    }
    expect(control.steering.rss).toBe(false);
  });

  it('reports hashes without a table when only HASH_CONFIG asks for them', () => {
    expect(run(encodeHash(0x3f, MICROSOFT_RSS_KEY))).toBe(CTRL_OK);
    expect(select(frame(1))).toBe(0);
    expect(control.steering.hashReport).toBe(3);
    expect(run(encodeHash(0, new Uint8Array(0)))).toBe(CTRL_OK);
    select(frame(1));
    expect(control.steering.hashReport).toBe(0);
  });
});
