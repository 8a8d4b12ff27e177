import type { MessageInitShape } from '@bufbuild/protobuf';
import type { TracerProvider } from '@opentelemetry/api';
import { type ClientOptions, createClient } from './client.ts';
import { BackendService } from './gen/vhostlab/backend/v1/backend_pb.ts';
import type {
  Capability,
  Description,
  Diagnostic,
  Hello,
  HelloSchema,
  InstanceState,
  Statistics,
} from './gen/vhostlab/common/v1/common_pb.ts';
import type { InstanceConfigSchema, PlanPart } from './gen/vhostlab/common/v1/plan_pb.ts';
import { GuestService } from './gen/vhostlab/guest/v1/guest_pb.ts';
import type { Function as NicFunction } from './gen/vhostlab/nic/v1/eswitch_pb.ts';
import { NicService } from './gen/vhostlab/nic/v1/nic_pb.ts';
import { SwitchService } from './gen/vhostlab/switch/v1/switch_pb.ts';
import { checkAnswer } from './handshake.ts';
import { InstanceTable, type ServiceProgram } from './instance-table.ts';
import { type Implementation, implement } from './serve-call.ts';
import type { Transport } from './transport.ts';
import type { CallOptions, Handlers } from './types.ts';

/** The four services whose lifecycle calls are the same, message by message. */
export const LIFECYCLE_SERVICES = {
  guest: GuestService,
  backend: BackendService,
  switch: SwitchService,
  nic: NicService,
} as const;

/** Which of the four services. */
export type Role = keyof typeof LIFECYCLE_SERVICES;

/** What an instance adds to the run. */
export interface Created {
  readonly plan: PlanPart;
  readonly diagnostics: readonly Diagnostic[];
  /** Functions that channels can end at; only a NIC has any. */
  readonly functions: readonly NicFunction[];
}

/** The lifecycle of a service, whichever of the four it is. All failures are ContractErrors. */
export interface LifecycleClient {
  readonly role: Role;
  handshake(own: MessageInitShape<typeof HelloSchema>, options?: CallOptions): Promise<Hello>;
  describe(options?: CallOptions): Promise<Description>;
  getCapabilities(own: readonly Capability[], options?: CallOptions): Promise<Capability[]>;
  validateConfig(
    config: MessageInitShape<typeof InstanceConfigSchema>,
    options?: CallOptions,
  ): Promise<Diagnostic[]>;
  create(config: MessageInitShape<typeof InstanceConfigSchema>, options?: CallOptions): Promise<Created>;
  start(id: string, options?: CallOptions): Promise<InstanceState>;
  stop(id: string, options?: CallOptions): Promise<InstanceState>;
  destroy(id: string, options?: CallOptions): Promise<void>;
  getStatistics(id: string, options?: CallOptions): Promise<Statistics>;
}

/** A client of the lifecycle of one of the four services. */
export function lifecycleClient(
  role: Role,
  transport: Transport,
  options: ClientOptions = {},
): LifecycleClient {
  // The four services have equal lifecycle messages (a test compares their descriptors); one stands for all.
  const client = createClient(LIFECYCLE_SERVICES[role] as typeof NicService, transport, options);
  const must = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) {
      throw new Error(`The ${role} service at ${transport.address} answered without ${what}.`);
    }
    return value;
  };
  return {
    role,
    handshake: async (own, call) => {
      const answer = must((await client.handshake({ hello: own }, call)).hello, 'a hello');
      checkAnswer(answer, own);
      return answer;
    },
    describe: async (call) => must((await client.describe({}, call)).description, 'a description'),
    getCapabilities: async (own, call) =>
      (await client.getCapabilities({ capabilities: [...own] }, call)).capabilities,
    validateConfig: async (config, call) => (await client.validateConfig({ config }, call)).diagnostics,
    create: async (config, call) => {
      const { plan, diagnostics, functions } = await client.create({ config }, call);
      return { plan: must(plan, 'a plan'), diagnostics, functions: functions ?? [] };
    },
    start: async (id, call) => (await client.start({ id }, call)).state,
    stop: async (id, call) => (await client.stop({ id }, call)).state,
    destroy: async (id, call) => void (await client.destroy({ id }, call)),
    getStatistics: async (id, call) =>
      must((await client.getStatistics({ id }, call)).statistics, 'statistics'),
  };
}

/**
 * Serves the lifecycle of one of the four services from a program: handshake first, unknown and taken ids, order of
 * calls and refused configurations are handled here and alike for all.
 */
export function implementLifecycle(
  role: Role,
  program: ServiceProgram,
  tracerProvider?: TracerProvider,
): Implementation {
  const table = new InstanceTable(program);
  const handlers: Handlers<typeof NicService> = {
    handshake: ({ hello }) => ({ hello: table.handshake(hello) }),
    describe: () => ({ description: program.description }),
    getCapabilities: ({ capabilities }) => ({ capabilities: table.capabilities(capabilities) }),
    validateConfig: async ({ config }) => ({ diagnostics: await table.validate(config) }),
    create: async ({ config }) => {
      const { plan, diagnostics, functions } = await table.create(config);
      return { plan, diagnostics, ...(role === 'nic' ? { functions } : {}) };
    },
    start: async ({ id }) => ({ state: await table.start(id) }),
    stop: async ({ id }) => ({ state: await table.stop(id) }),
    destroy: async ({ id }) => {
      await table.destroy(id);
      return {};
    },
    getStatistics: async ({ id }) => ({ statistics: await table.statistics(id) }),
  };
  return implement(LIFECYCLE_SERVICES[role] as typeof NicService, handlers, tracerProvider);
}
