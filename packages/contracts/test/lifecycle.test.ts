import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import {
  ContractError,
  commonV1,
  create,
  hello,
  implementLifecycle,
  LIFECYCLE_SERVICES,
  type LifecycleClient,
  lifecycleClient,
  negotiate,
  type Role,
  type ServiceProgram,
  toJson,
} from '@vhostlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Joined, WAYS } from './support/transports.ts';

const { Clock, InstanceState, Severity, Support } = commonV1;
const lab = hello({ instanceId: 'lab-1', name: 'lab', clocks: [Clock.VIRTUAL] });

function program(log: string[]): ServiceProgram {
  return {
    hello: { instanceId: 'nic-1', name: 'nic', clocks: [Clock.REAL, Clock.VIRTUAL] },
    description: { name: 'nic', summary: 'A NIC.', modules: ['nic.engine'] },
    capabilities: (peer) => [
      { name: 'ring.split', support: Support.OFFERED },
      { name: 'migration', support: Support.UNSUPPORTED, reason: `${peer.length} peers` },
    ],
    validate: ({ configJson }) =>
      configJson === '{}'
        ? [{ severity: Severity.NOTE, summary: 'Split rings were chosen.', field: 'ring' }]
        : [
            { severity: Severity.ERROR, summary: 'Size 3 is not a power of two.', field: 'queues[0].size' },
            { severity: Severity.ERROR, summary: 'Key "x" is not known.', field: 'x' },
          ],
    create: ({ id }) => ({
      plan: { cores: [{ id: `${id}.engine`, module: 'nic.engine', configJson: '{"a":1}' }] },
      functions: [{ name: 'pf0', address: '0000:65:00.0', queuePairs: 4 }],
      start: () => void log.push(`start ${id}`),
      stop: () => void log.push(`stop ${id}`),
      destroy: () => void log.push(`destroy ${id}`),
      statistics: () => ({ atPs: 12n, drops: [{ reason: 'no_rx_buffer', count: 3n }] }),
    }),
  };
}

const config = (id: string, configJson = '{}') => ({ id, configJson, clock: Clock.VIRTUAL, seed: 1n });

async function refusal(call: Promise<unknown>): Promise<ContractError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ContractError);
  return error as ContractError;
}

describe.each(WAYS)('lifecycle over $name', ({ join }) => {
  const log: string[] = [];
  let joined: Joined;
  let nic: LifecycleClient;

  beforeEach(async () => {
    log.length = 0;
    joined = await join([implementLifecycle('nic', program(log))]);
    nic = lifecycleClient('nic', joined.transport);
  });
  afterEach(() => joined.close());

  it('goes from handshake to destroy', async () => {
    const answer = await nic.handshake(lab);
    expect(answer).toMatchObject({ instanceId: 'nic-1', protocolVersions: [1], clocks: [Clock.VIRTUAL] });
    expect((await nic.describe()).modules).toEqual(['nic.engine']);
    const capabilities = await nic.getCapabilities([
      create(commonV1.CapabilitySchema, { name: 'msi-x', support: Support.OFFERED }),
    ]);
    expect(capabilities.map(({ name, reason }) => [name, reason])).toEqual([
      ['migration', '1 peers'],
      ['ring.split', ''],
    ]);
    const created = await nic.create(config('nic0'));
    expect(created.plan.cores.map(({ id }) => id)).toEqual(['nic0.engine']);
    expect(created.functions.map(({ name }) => name)).toEqual(['pf0']);
    expect(created.diagnostics.map(({ field }) => field)).toEqual(['ring']);
    expect(await nic.start('nic0')).toBe(InstanceState.STARTED);
    expect((await nic.getStatistics('nic0')).drops[0]).toMatchObject({ reason: 'no_rx_buffer', count: 3n });
    expect(await nic.stop('nic0')).toBe(InstanceState.STOPPED);
    expect(await nic.stop('nic0')).toBe(InstanceState.STOPPED);
    expect(await nic.start('nic0')).toBe(InstanceState.STARTED);
    await nic.destroy('nic0');
    expect(log).toEqual(['start nic0', 'stop nic0', 'start nic0', 'stop nic0', 'destroy nic0']);
  });

  it('wants the handshake first', async () => {
    const error = await refusal(nic.create(config('nic0')));
    expect(error).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: 'The first call must be Handshake.',
    });
  });

  it('refuses a faulty configuration with diagnostics that name the fields', async () => {
    await nic.handshake(lab);
    const remarks = await nic.validateConfig(config('nic0', '{"x":3}'));
    expect(remarks.map(({ field }) => field)).toEqual(['queues[0].size', 'x']);
    const error = await refusal(nic.create(config('nic0', '{"x":3}')));
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      recovery: 'correct',
      message: 'queues[0].size: Size 3 is not a power of two. (and 1 more)',
    });
    expect(error.diagnostics.map(({ field }) => field)).toEqual(['queues[0].size', 'x']);
    expect((await refusal(nic.create(config('no such id!')))).diagnostics[0]?.field).toBe('id');
  });

  it('refuses taken and unknown ids and calls out of order', async () => {
    await nic.handshake(lab);
    await nic.create(config('nic0'));
    expect((await refusal(nic.create(config('nic0')))).code).toBe('ALREADY_EXISTS');
    await nic.start('nic0');
    expect((await refusal(nic.start('nic0'))).code).toBe('FAILED_PRECONDITION');
    const unknown = await refusal(nic.destroy('nic1'));
    expect(unknown).toMatchObject({
      code: 'NOT_FOUND',
      message: 'There is no instance "nic1"; there are: nic0.',
    });
  });
});

describe('negotiation', () => {
  const own = hello({ instanceId: 'n', name: 'nic', clocks: [Clock.VIRTUAL] });

  it.each([
    [undefined, 'INVALID_ARGUMENT', 'needs a hello'],
    [hello({ clocks: [Clock.VIRTUAL] }), 'INVALID_ARGUMENT', 'needs a hello'],
    [
      hello({ instanceId: 'x', name: 'lab', clocks: [Clock.REAL] }),
      'FAILED_PRECONDITION',
      'nic runs on the virtual clock, lab asks for the real clock.',
    ],
    [
      { ...hello({ instanceId: 'x', clocks: [Clock.VIRTUAL] }), protocolVersions: [2, 3] },
      'FAILED_PRECONDITION',
      'nic speaks protocol version 1, x speaks 2, 3.',
    ],
  ])('refuses what does not fit', (caller, code, why) => {
    const refuse = (): unknown => negotiate(own, caller);
    expect(refuse).toThrow(why);
    expect(refuse).toThrow(expect.objectContaining({ code }));
  });
});

describe('the four services', () => {
  /** The lifecycle messages of a service with the service's own names taken out. */
  const shape = (role: Role): unknown => {
    const { file, typeName } = LIFECYCLE_SERVICES[role];
    const json = toJson(FileDescriptorProtoSchema, file.proto) as {
      messageType: { name: string; field?: { name: string }[] }[];
      service: { method: unknown[] }[];
    };
    const messages = json.messageType.map((message) => ({
      ...message,
      field: message.field?.filter(({ name }) => name !== 'functions') ?? [],
    }));
    const text = JSON.stringify({ messages, methods: json.service[0]!.method });
    return JSON.parse(text.replaceAll(typeName.slice(0, typeName.lastIndexOf('.')), 'PACKAGE'));
  };

  it.each(['guest', 'backend', 'switch'] as const)('have one lifecycle: %s and nic', (role) => {
    expect(shape(role)).toEqual(shape('nic'));
  });
});
