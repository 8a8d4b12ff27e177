import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { ContractError } from './errors.ts';
import {
  type Capability,
  type CapabilitySchema,
  type DescriptionSchema,
  type Diagnostic,
  DiagnosticSchema,
  type Hello,
  InstanceState,
  Severity,
  type StatisticsSchema,
} from './gen/vhostlab/common/v1/common_pb.ts';
import type { InstanceConfig, PlanPartSchema } from './gen/vhostlab/common/v1/plan_pb.ts';
import type { FunctionSchema } from './gen/vhostlab/nic/v1/eswitch_pb.ts';
import { hello, negotiate, type OwnHello } from './handshake.ts';

type Awaitable<T> = T | Promise<T>;
type DiagnosticInit = MessageInitShape<typeof DiagnosticSchema>;

/** One running component, made by `ServiceProgram.create`. */
export interface Instance {
  /** Its part of the run plan. */
  readonly plan: MessageInitShape<typeof PlanPartSchema>;
  /** Notes on what was chosen. */
  readonly diagnostics?: readonly DiagnosticInit[];
  /** NIC only: functions that channels can end at. */
  readonly functions?: readonly MessageInitShape<typeof FunctionSchema>[];
  start?(): Awaitable<void>;
  stop?(): Awaitable<void>;
  destroy?(): Awaitable<void>;
  statistics(): Awaitable<MessageInitShape<typeof StatisticsSchema>>;
}

/** What a service has to say and do; the same program is served embedded and over gRPC. */
export interface ServiceProgram {
  readonly hello: OwnHello;
  readonly description: MessageInitShape<typeof DescriptionSchema>;
  /** What it can do with a peer that can do `peer`. */
  capabilities(peer: readonly Capability[]): MessageInitShape<typeof CapabilitySchema>[];
  /** Remarks on a configuration; keeps nothing. */
  validate(config: InstanceConfig): Awaitable<DiagnosticInit[]>;
  /** Makes an instance of a configuration that `validate` found usable. */
  create(config: InstanceConfig): Awaitable<Instance>;
}

/** What `Create` answers. */
export interface CreatedInit {
  plan: Instance['plan'];
  diagnostics: DiagnosticInit[];
  functions: MessageInitShape<typeof FunctionSchema>[];
}

interface Entry {
  readonly instance: Instance;
  state: InstanceState;
}

const ID = /^[a-z0-9_-]{1,64}$/;

/** Instances of one service by id, and the order of calls that all four services share. */
export class InstanceTable {
  readonly #program: ServiceProgram;
  readonly #own: Hello;
  readonly #entries = new Map<string, Entry>();
  readonly #creating = new Set<string>();
  #shaken = false;

  constructor(program: ServiceProgram) {
    this.#program = program;
    this.#own = hello(program.hello);
  }

  handshake(caller: Hello | undefined): Hello {
    const answer = negotiate(this.#own, caller);
    this.#shaken = true;
    return answer;
  }

  capabilities(peer: readonly Capability[]): MessageInitShape<typeof CapabilitySchema>[] {
    this.#afterHandshake();
    return this.#program.capabilities(peer).sort((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1));
  }

  async validate(config: InstanceConfig | undefined): Promise<Diagnostic[]> {
    this.#afterHandshake();
    if (config === undefined) {
      throw new ContractError('INVALID_ARGUMENT', 'The request has no configuration.');
    }
    const diagnostics = ID.test(config.id)
      ? await this.#program.validate(config)
      : [
          {
            severity: Severity.ERROR,
            summary: `Id "${config.id}" is not 1 to 64 characters of a-z, 0-9, - and _.`,
            field: 'id',
          },
        ];
    return diagnostics.map((diagnostic) => create(DiagnosticSchema, diagnostic));
  }

  /** Refuses faulty configurations with INVALID_ARGUMENT and taken ids with ALREADY_EXISTS. */
  async create(config: InstanceConfig | undefined): Promise<CreatedInit> {
    const remarks = await this.validate(config);
    const errors = remarks.filter(({ severity }) => isError(severity));
    if (errors.length > 0) {
      const { field, summary } = errors[0]!;
      const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
      const message = `${field === '' ? '' : `${field}: `}${summary}${more}`;
      throw new ContractError('INVALID_ARGUMENT', message, { diagnostics: errors });
    }
    const { id } = config!;
    if (this.#entries.has(id) || this.#creating.has(id)) {
      throw new ContractError('ALREADY_EXISTS', `An instance "${id}" exists already.`);
    }
    this.#creating.add(id);
    try {
      const instance = await this.#program.create(config!);
      this.#entries.set(id, { instance, state: InstanceState.CREATED });
      const diagnostics = [...remarks, ...(instance.diagnostics ?? [])];
      return { plan: instance.plan, diagnostics, functions: [...(instance.functions ?? [])] };
    } finally {
      this.#creating.delete(id);
    }
  }

  async start(id: string): Promise<InstanceState> {
    const entry = this.#entry(id);
    if (entry.state === InstanceState.STARTED) {
      throw new ContractError('FAILED_PRECONDITION', `Instance "${id}" is started already; stop it first.`);
    }
    await entry.instance.start?.();
    entry.state = InstanceState.STARTED;
    return entry.state;
  }

  async stop(id: string): Promise<InstanceState> {
    const entry = this.#entry(id);
    if (entry.state === InstanceState.STARTED) {
      await entry.instance.stop?.();
      entry.state = InstanceState.STOPPED;
    }
    return entry.state;
  }

  async destroy(id: string): Promise<void> {
    await this.stop(id);
    const entry = this.#entry(id);
    this.#entries.delete(id);
    await entry.instance.destroy?.();
  }

  async statistics(id: string): Promise<MessageInitShape<typeof StatisticsSchema>> {
    return await this.#entry(id).instance.statistics();
  }

  #entry(id: string): Entry {
    this.#afterHandshake();
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      const known = [...this.#entries.keys()].sort().join(', ') || 'none';
      throw new ContractError('NOT_FOUND', `There is no instance "${id}"; there are: ${known}.`);
    }
    return entry;
  }

  #afterHandshake(): void {
    if (!this.#shaken) {
      throw new ContractError('FAILED_PRECONDITION', 'The first call must be Handshake.');
    }
  }
}

/** A diagnostic without severity counts as an error. */
function isError(severity: Severity): boolean {
  return severity === Severity.ERROR || severity === Severity.UNSPECIFIED;
}
