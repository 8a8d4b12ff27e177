import { handshakeLine, LISTEN_NAME } from '@vhostlab/backend-sdk';
import { ContractError, type Implementation, implement, serveGrpc } from '@vhostlab/contracts';
import { frozenServices } from './frozen.ts';

/*
 * A burst plugin, wire and guest joined, written with the frozen contracts alone. FROZEN_VERSIONS are the versions that
 * it says it speaks.
 */
interface Request {
  id: string;
  sequence: bigint;
  port: number;
  frames: Uint8Array[];
  hello: { instanceId: string; protocolVersions: number[]; clocks: number[] };
  config: { id: string; configJson: string };
}

const versions = (process.env.FROZEN_VERSIONS ?? '1').split(',').map(Number);
const { backend, burst } = frozenServices();
const instances = new Map<string, { isStarted: boolean; last: bigint; frames: bigint }>();
const version = { major: 1, minor: 0, patch: 0 };

function refuse(
  code: 'INVALID_ARGUMENT' | 'NOT_FOUND' | 'FAILED_PRECONDITION' | 'ALREADY_EXISTS',
  why: string,
): never {
  throw new ContractError(code, why);
}

function instance(id: string) {
  return instances.get(id) ?? refuse('NOT_FOUND', `There is no instance "${id}".`);
}

function faults(json: string): { severity: number; field: string; summary: string }[] {
  try {
    const options: unknown = JSON.parse(json === '' ? '{}' : json);
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      throw new Error('no object');
    return Object.keys(options).map((field) => ({
      severity: 1,
      field,
      summary: `Option "${field}" is unknown.`,
    }));
  } catch {
    return [{ severity: 1, field: 'config_json', summary: 'It is no JSON object.' }];
  }
}

const lifecycle = implement(backend, {
  handshake: ({ hello }: Request) => {
    const shared = versions.filter((one) => hello.protocolVersions.includes(one));
    const clocks = hello.clocks.filter((one) => one === 1 || one === 2);
    if (clocks.length === 0) refuse('FAILED_PRECONDITION', 'frozen runs on both clocks.');
    if (shared.length === 0 && versions.includes(1)) {
      refuse('FAILED_PRECONDITION', `frozen speaks ${versions}, the host ${hello.protocolVersions}.`);
    }
    // a plugin of another version that does not refuse says what it speaks; the host must not take that
    const protocolVersions = shared.length === 0 ? versions : shared;
    return { hello: { protocolVersions, instanceId: 'frozen-1', name: 'frozen', version, clocks } };
  },
  describe: () => ({
    description: {
      name: 'frozen',
      summary: 'of the first freeze',
      version,
      configSchemaJson: '{"type":"object","additionalProperties":false}',
    },
  }),
  getCapabilities: () => ({ capabilities: [{ name: 'depth.burst', support: 2 }] }),
  validateConfig: ({ config }: Request) => ({ diagnostics: faults(config.configJson) }),
  create: ({ config }: Request) => {
    const [fault] = faults(config.configJson);
    if (fault !== undefined) refuse('INVALID_ARGUMENT', fault.summary);
    if (instances.has(config.id)) refuse('ALREADY_EXISTS', `${config.id} exists.`);
    instances.set(config.id, { isStarted: false, last: 0n, frames: 0n });
    return { plan: {} };
  },
  start: ({ id }: Request) => {
    const one = instance(id);
    if (one.isStarted) refuse('FAILED_PRECONDITION', 'It is started already.');
    one.isStarted = true;
    return { state: 2 };
  },
  stop: ({ id }: Request) => {
    instance(id).isStarted = false;
    return { state: 3 };
  },
  destroy: ({ id }: Request) => {
    instance(id);
    instances.delete(id);
    return {};
  },
  getStatistics: ({ id }: Request) => ({
    statistics: { atPs: 0n, counters: [{ core: '', name: 'frames.in', value: instance(id).frames }] },
  }),
} as never);

const bursts = implement(burst, {
  async *exchange(requests: AsyncIterable<Request>) {
    for await (const { id, sequence, port, frames } of requests) {
      const one = instance(id);
      if (!one.isStarted) refuse('FAILED_PRECONDITION', 'It is not started.');
      if (sequence !== one.last + 1n) refuse('INVALID_ARGUMENT', `Burst ${sequence} follows ${one.last}.`);
      one.last = sequence;
      one.frames += BigInt(frames.length);
      const outputs = frames.map((_, source) => ({ port: port === 1 ? 10 : 1, source }));
      yield { sequence, outputs, charges: [{ op: 'switch.parse', count: Math.max(1, frames.length) }] };
    }
  },
} as never);

const implementations: Implementation[] = [lifecycle, bursts];
const server = await serveGrpc({ listen: process.env[LISTEN_NAME] ?? '127.0.0.1:0', implementations });
process.stdout.write(`${handshakeLine(server.address)}\n`);
