import { workerData } from 'node:worker_threads';
import { toBinary } from '@bufbuild/protobuf';
import { createClient } from '../client.ts';
import { BackendService } from '../gen/vhostlab/backend/v1/backend_pb.ts';
import { BurstService } from '../gen/vhostlab/backend/v1/burst_pb.ts';
import { Severity, StatisticsSchema } from '../gen/vhostlab/common/v1/common_pb.ts';
import { createGrpcTransport } from '../grpc-transport.ts';
import { hello, PROTOCOL_VERSION } from '../handshake.ts';
import type { RawCall } from '../transport.ts';
import type { BridgeAnswer, BridgeData, BridgeOrder } from './bridge-messages.ts';
import type { BurstInstanceInit } from './burst-channel.ts';

const { port, answers, address, timeoutMs } = workerData as BridgeData;
const transport = createGrpcTransport(address);
const client = createClient(BackendService, transport);
const call = { timeoutMs };
const NOTHING = new Uint8Array();

let instance = '';
let exchange: RawCall | undefined;
/** The call that is under way, for what is said when it fails. */
let underWay = 'Handshake';

async function open(id: string, { optionsJson, clock, seed, peers }: BurstInstanceInit): Promise<void> {
  const version = { major: 0, minor: 1, patch: 0 };
  underWay = 'Handshake';
  const answer = await client.handshake(
    { hello: hello({ instanceId: id, name: 'vhostlab', version, clocks: [clock], processId: process.pid }) },
    call,
  );
  const versions = answer.hello?.protocolVersions ?? [];
  if (!versions.includes(PROTOCOL_VERSION)) {
    throw new Error(`it answers protocol version ${versions.join(', ') || 'none'}, not ${PROTOCOL_VERSION}`);
  }
  const config = { id, configJson: optionsJson, clock, seed: BigInt(seed), peers: peers ?? [] };
  underWay = 'ValidateConfig';
  const { diagnostics } = await client.validateConfig({ config }, call);
  const wrong = diagnostics.find(
    ({ severity }) => severity === Severity.ERROR || severity === Severity.UNSPECIFIED,
  );
  if (wrong !== undefined) throw new Error(`${wrong.field === '' ? '' : `${wrong.field}: `}${wrong.summary}`);
  underWay = 'Create';
  await client.create({ config }, call);
  instance = id;
  underWay = 'Start';
  await client.start({ id }, call);
  exchange = transport.open(BurstService.method.exchange, {}, undefined);
}

async function one(bytes: Uint8Array): Promise<Uint8Array> {
  if (exchange === undefined) throw new Error('the stream is not open');
  // who asked waits for a limited time; that nobody reads what is sent shows there too
  void exchange.send(bytes);
  const answer = await exchange.responses.next();
  if (answer.done === true) throw new Error('the plugin ended the stream');
  return answer.value;
}

async function close(): Promise<void> {
  exchange?.closeSend();
  underWay = 'Stop';
  await client.stop({ id: instance }, call);
  underWay = 'Destroy';
  await client.destroy({ id: instance }, call);
  exchange?.cancel();
  transport.close();
}

async function handle(order: BridgeOrder): Promise<Uint8Array> {
  switch (order.call) {
    case 'open':
      await open(order.id, order.init);
      return NOTHING;
    case 'Exchange':
      underWay = 'Exchange';
      return one(order.bytes);
    case 'GetStatistics': {
      underWay = 'GetStatistics';
      const { statistics } = await client.getStatistics({ id: instance }, call);
      if (statistics === undefined) throw new Error('the answer has no statistics');
      return toBinary(StatisticsSchema, statistics);
    }
    case 'close':
      await close();
      return NOTHING;
  }
}

port.on('message', (order: BridgeOrder) => {
  handle(order)
    .then(
      (bytes): BridgeAnswer => ({ bytes }),
      (error: Error): BridgeAnswer => ({ call: underWay, reason: error.message }),
    )
    .then((answer) => {
      port.postMessage(answer);
      Atomics.add(answers, 0, 1);
      Atomics.notify(answers, 0);
    });
});
