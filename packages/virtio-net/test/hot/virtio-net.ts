import type { HotCases } from '@vhostlab/memory/test-kit';
import { build, DecodedHeaders, decodeInto, MICROSOFT_RSS_KEY } from '@vhostlab/packet';
import {
  ControlQueue,
  checkHeader,
  completeChecksum,
  encodeQueuePairs,
  encodeRss,
  encodeRxMode,
  FEATURES,
  FeatureSet,
  gather,
  type HeaderFields,
  NetConfig,
  NO_OFFLOAD,
  RxMerge,
  readHeader,
  requestSegmentation,
  Segmenter,
  transmitRules,
  VirtioPciDevice,
  writeHeader,
} from '../../src/index.ts';

const ALL = FeatureSet.of(...FEATURES.map((feature) => feature.name));

class Memory {
  readonly u8 = new Uint8Array(0x4_0000);
  copy(to: number, from: number, length: number): void {
    this.u8.copyWithin(to, from, from + length);
  }
}

/** A TCP frame of 400 bytes of payload at 0, its headers and a request for segments of 100 bytes. */
function tcpFrame() {
  const memory = new Memory();
  const frame = build([
    { kind: 'ethernet', dst: '52:54:00:00:00:02', src: '52:54:00:00:00:01' },
    { kind: 'ipv4', src: '10.0.0.1', dst: '10.0.0.2' },
    { kind: 'tcp', srcPort: 1000, dstPort: 2000 },
    { kind: 'payload', bytes: new Uint8Array(400) },
  ]);
  memory.u8.set(frame);
  const headers = new DecodedHeaders();
  decodeInto(memory.u8, 0, frame.length, headers);
  const fields: HeaderFields = { ...NO_OFFLOAD };
  requestSegmentation(memory.u8, 0, headers, 100, fields);
  return { memory, bytes: frame.length, headers, fields };
}

function controlWith(...commands: Uint8Array[]): ControlQueue {
  const control = new ControlQueue(new NetConfig({ mac: [2, 0, 0, 0, 0, 1], maxQueuePairs: 4 }));
  control.reset(ALL);
  for (const command of commands) control.execute(command, 0, command.length);
  return control;
}

const chains = {
  firstSegment: Int32Array.of(0, 2, 4),
  segmentCount: Int32Array.of(2, 2, 2),
  writableBytes: Float64Array.of(2060, 2060, 2060),
  offset: Float64Array.of(0x10000, 0x10100, 0x11000, 0x11100, 0x12000, 0x12100),
  length: Uint32Array.of(12, 2048, 12, 2048, 12, 2048),
  writable: Uint8Array.of(1, 1, 1, 1, 1, 1),
};

export const hotCases: HotCases = {
  'writeHeader, readHeader, checkHeader': () => {
    const u8 = new Uint8Array(32);
    const { fields } = tcpFrame();
    const read: HeaderFields = { ...NO_OFFLOAD };
    const rules = transmitRules(ALL);
    return (call) => {
      writeHeader(u8, call & 7, 12, fields, 1);
      readHeader(u8, call & 7, read);
      return checkHeader(read, 454, rules);
    };
  },
  completeChecksum: () => {
    const { memory, fields } = tcpFrame();
    return () => completeChecksum(memory.u8, 0, 454, fields);
  },
  Segmenter: () => {
    const { memory, bytes, fields } = tcpFrame();
    const segmenter = new Segmenter(memory.u8);
    return () => {
      const count = segmenter.begin(0, bytes, fields);
      for (let i = 0; i < count; i++) segmenter.next(0x10000);
    };
  },
  'RxMerge.plan, place': () => {
    const { memory } = tcpFrame();
    const merge = new RxMerge(true, 12, 16);
    return () => {
      if (merge.plan(4000, chains, 0, 3) > 0) merge.place(memory, chains, 0, 0x30000, 0, 4000);
    };
  },
  gather: () => {
    const { memory } = tcpFrame();
    const readable = { ...chains, writable: new Uint8Array(6) };
    return (call) => gather(memory, readable, call % 3, 12, 0, 1514);
  },
  'ReceiveFilter.accepts': () => {
    const { filter } = controlWith(encodeRxMode(0, false));
    const u8 = Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2);
    return (call) => filter.accepts(u8, (call & 1) * 6, -1);
  },
  'ReceiveSteering, automatic': () => {
    const { memory, headers } = tcpFrame();
    const { steering } = controlWith(encodeQueuePairs(4));
    return (call) => {
      headers.srcPort = call & 0xffff;
      steering.learn(memory.u8, 0, headers, call & 3);
      return steering.select(memory.u8, 0, headers);
    };
  },
  'ReceiveSteering, RSS': () => {
    const { memory, headers } = tcpFrame();
    const rss = { hashTypes: 0x3f, table: [0, 1, 2, 3], unclassifiedQueue: 0, maxTxQueues: 4 };
    const { steering } = controlWith(encodeRss({ ...rss, key: MICROSOFT_RSS_KEY }));
    return () => steering.select(memory.u8, 0, headers);
  },
  'VirtioPciDevice, doorbell and interrupt': () => {
    let kicks = 0;
    const device = new VirtioPciDevice({
      offers: ALL.without('NOTIFICATION_DATA'),
      queues: 2,
      maxQueueSize: 256,
      config: new NetConfig({ mac: [2, 0, 0, 0, 0, 1] }),
      configBytes: 28,
      onNotify: (queue) => {
        kicks += queue;
      },
    });
    device.queues[1].enabled = true;
    device.writeRegister(0x14, 1, 15);
    device.writeRegister(device.layout.notify + 4, 2, 1);
    if (kicks !== 1) throw new Error('the doorbell does not ring');
    return () => {
      device.writeRegister(device.layout.notify + 4, 2, 1);
      device.raiseQueue(1);
      return kicks;
    };
  },
};
