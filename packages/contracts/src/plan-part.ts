import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type ComponentPlan,
  type CorePlan,
  type EndPlan,
  LATENCY_CLASSES,
  type LatencyClass,
} from '@vhostlab/engine';
import { ContractError } from './errors.ts';
import {
  ChannelKind,
  ChannelSide,
  CoreAccount,
  CoreMode,
  type PlanPart,
  PlanPartSchema,
} from './gen/vhostlab/common/v1/plan_pb.ts';
import { toNumber } from './uint64.ts';

const MODES = { poll: CoreMode.POLL, wait: CoreMode.WAIT, hardware: CoreMode.HARDWARE } as const;
const ACCOUNTS = { host: CoreAccount.HOST, guest: CoreAccount.GUEST, none: CoreAccount.NONE } as const;
const KINDS = { memory: ChannelKind.MEMORY, link: ChannelKind.LINK, control: ChannelKind.CONTROL } as const;
const SIDES = { a: ChannelSide.A, b: ChannelSide.B } as const;

/** The answer of Create for a component that the engine runs. */
export function toPlanPart(component: ComponentPlan): MessageInitShape<typeof PlanPartSchema> {
  return {
    cores: component.cores.map((core) => ({
      id: core.id,
      module: core.module,
      configJson: JSON.stringify(core.config),
      mode: MODES[core.mode],
      account: ACCOUNTS[core.account],
      wakeOp: core.wakeOp ?? '',
      arenaBytes: BigInt(core.arenaBytes ?? 0),
    })),
    windows: component.windows.map(({ id, bytes }) => ({ id, sizeBytes: BigInt(bytes) })),
    ends: component.ends.map((end) => ({
      name: end.end,
      core: end.core,
      kind: KINDS[end.kind],
      side: SIDES[end.side],
      channel: end.channel,
      queueSizes: end.queueSizes ?? [],
      window: end.window ?? '',
      capacityFrames: end.capacity ?? 0,
      bufferBytes: end.bufferBytes ?? 0,
      latencyClass: end.latency,
    })),
  };
}

/** Reads an answer of Create from the service `service`. Throws INVALID_ARGUMENT naming what is not understood. */
export function fromPlanPart(part: PlanPart, service: string): ComponentPlan {
  const { cores, windows, ends } = create(PlanPartSchema, part);
  return {
    cores: cores.map(
      (core): CorePlan => ({
        id: core.id,
        service,
        module: core.module,
        config: parseConfig(core.configJson, core.id),
        mode: nameOf(MODES, core.mode, `mode of core ${core.id}`),
        account: nameOf(ACCOUNTS, core.account, `account of core ${core.id}`),
        ...(core.wakeOp === '' ? {} : { wakeOp: core.wakeOp }),
        ...(core.arenaBytes === 0n ? {} : { arenaBytes: Number(core.arenaBytes) }),
      }),
    ),
    windows: windows.map(({ id, sizeBytes }) => ({ id, owner: service, bytes: toNumber(sizeBytes) })),
    ends: ends.map(
      (end): EndPlan => ({
        channel: end.channel,
        kind: nameOf(KINDS, end.kind, `kind of end ${end.core}/${end.name}`),
        side: nameOf(SIDES, end.side, `side of end ${end.core}/${end.name}`),
        core: end.core,
        end: end.name,
        latency: latencyClass(end.latencyClass, end.name),
        ...(end.window === '' ? {} : { window: end.window }),
        ...(end.queueSizes.length === 0 ? {} : { queueSizes: end.queueSizes }),
        ...(end.capacityFrames === 0 ? {} : { capacity: end.capacityFrames }),
        ...(end.bufferBytes === 0 ? {} : { bufferBytes: end.bufferBytes }),
      }),
    ),
  };
}

function nameOf<K extends string>(table: Record<K, number>, value: number, what: string): K {
  const name = (Object.keys(table) as K[]).find((key) => table[key] === value);
  if (name === undefined)
    throw new ContractError('INVALID_ARGUMENT', `The ${what} is ${value}, which means nothing.`);
  return name;
}

function parseConfig(json: string, core: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new ContractError('INVALID_ARGUMENT', `The configuration of core ${core} is not JSON: ${why}.`, {
      cause,
    });
  }
}

function latencyClass(name: string, end: string): LatencyClass {
  if (!(LATENCY_CLASSES as readonly string[]).includes(name)) {
    throw new ContractError('INVALID_ARGUMENT', `End ${end} has the unknown latency class "${name}".`);
  }
  return name as LatencyClass;
}
