import { clone, create, type MessageInitShape } from '@bufbuild/protobuf';
import { ContractError } from './errors.ts';
import { type Clock, ClockSchema, type Hello, HelloSchema } from './gen/vhostlab/common/v1/common_pb.ts';

/** Version of all contracts of this build: the packages `vhostlab.*.v1`. */
export const PROTOCOL_VERSION = 1;

/** What a speaker says of itself, without the protocol version. */
export type OwnHello = Omit<MessageInitShape<typeof HelloSchema>, 'protocolVersions' | '$typeName'>;

/** A Hello of this build. */
export function hello(own: OwnHello): Hello {
  return create(HelloSchema, { ...own, protocolVersions: [PROTOCOL_VERSION] });
}

/**
 * What the server answers to a handshake: itself, with the versions and clocks that both sides share, in its own
 * order. Throws FAILED_PRECONDITION when they share no version or no clock, INVALID_ARGUMENT when the caller does not
 * say who it is.
 */
export function negotiate(own: Hello, caller: Hello | undefined): Hello {
  if (caller === undefined || caller.instanceId === '') {
    throw new ContractError('INVALID_ARGUMENT', 'A handshake needs a hello with an instance id.');
  }
  const answer = clone(HelloSchema, own);
  answer.protocolVersions = own.protocolVersions.filter((version) =>
    caller.protocolVersions.includes(version),
  );
  answer.clocks = own.clocks.filter((clock) => caller.clocks.includes(clock));
  if (answer.protocolVersions.length === 0) {
    throw new ContractError(
      'FAILED_PRECONDITION',
      `${own.name} speaks protocol version ${own.protocolVersions.join(', ')}, ` +
        `${caller.name || caller.instanceId} speaks ${caller.protocolVersions.join(', ') || 'none'}.`,
      { recovery: 'correct' },
    );
  }
  if (answer.clocks.length === 0) {
    throw new ContractError(
      'FAILED_PRECONDITION',
      `${own.name} runs on ${clockNames(own.clocks)}, ` +
        `${caller.name || caller.instanceId} asks for ${clockNames(caller.clocks)}.`,
      { recovery: 'correct' },
    );
  }
  return answer;
}

/**
 * Checks what a server answered to the hello of this side: it must have taken one of the versions that this side speaks.
 * Throws FAILED_PRECONDITION naming both.
 */
export function checkAnswer(answer: Hello, own: { readonly protocolVersions?: readonly number[] }): void {
  const spoken = own.protocolVersions ?? [];
  if (answer.protocolVersions.some((version) => spoken.includes(version))) return;
  throw new ContractError(
    'FAILED_PRECONDITION',
    `${answer.name || answer.instanceId || 'The service'} answers protocol version ` +
      `${answer.protocolVersions.join(', ') || 'none'}, this side speaks ${spoken.join(', ')}.`,
    { recovery: 'correct' },
  );
}

function clockNames(clocks: readonly Clock[]): string {
  const names = clocks.map(
    (clock) => `the ${ClockSchema.value[clock]?.localName.toLowerCase() ?? clock} clock`,
  );
  return names.join(' and ') || 'no clock';
}
