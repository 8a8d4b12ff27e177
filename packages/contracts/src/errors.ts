import { create, type DescMethod, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type Diagnostic,
  ErrorDetailSchema,
  Recovery as WireRecovery,
} from './gen/vhostlab/common/v1/common_pb.ts';
import { type Recovery, STATUS, type StatusCode } from './status.ts';

/** Further facts of a refused call. */
export interface ContractErrorOptions {
  /** Full name of the service that was called, empty on the serving side. */
  service?: string;
  /** Name of the method that was called, empty on the serving side. */
  method?: string;
  /** Overrides what the table of status codes says. */
  recovery?: Recovery;
  /** Remarks that name fields. */
  diagnostics?: readonly Diagnostic[];
  cause?: unknown;
}

/**
 * A failed call of a contract, thrown by clients and by handlers alike. `message` is one sentence for people,
 * `code` one of the table in status.ts, `recovery` what the caller should do.
 */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  readonly code: StatusCode;
  readonly service: string;
  readonly method: string;
  readonly recovery: Recovery;
  readonly diagnostics: readonly Diagnostic[];

  constructor(code: Exclude<StatusCode, 'OK'>, message: string, options: ContractErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.service = options.service ?? '';
    this.method = options.method ?? '';
    this.recovery = options.recovery ?? STATUS[code].recovery;
    this.diagnostics = options.diagnostics ?? [];
  }
}

/** How a call ended, as it travels. */
export interface WireStatus {
  readonly code: Exclude<StatusCode, 'OK'>;
  readonly message: string;
  /** An encoded ErrorDetail, at most `MAX_DETAIL_BYTES`. */
  readonly detail: Uint8Array;
}

/** Trailing metadata has room for about 8 KiB in all implementations of gRPC. */
const MAX_DETAIL_BYTES = 4096;
const MAX_MESSAGE_LENGTH = 1024;

const toWireRecovery: Record<Recovery, WireRecovery> = {
  retry: WireRecovery.RETRY,
  wait: WireRecovery.WAIT,
  correct: WireRecovery.CORRECT,
  reconnect: WireRecovery.RECONNECT,
  report: WireRecovery.REPORT,
};

const fromWireRecovery = new Map<WireRecovery, Recovery>(
  Object.entries(toWireRecovery).map(([name, wire]) => [wire, name as Recovery]),
);

/** What a handler has thrown, as it travels. Anything but a ContractError is a fault of the program: INTERNAL. */
export function toWireStatus(thrown: unknown): WireStatus {
  const error =
    thrown instanceof ContractError
      ? thrown
      : new ContractError('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown));
  const detail = create(ErrorDetailSchema, { recovery: toWireRecovery[error.recovery] });
  let bytes = toBinary(ErrorDetailSchema, detail);
  for (const diagnostic of error.diagnostics) {
    detail.diagnostics.push(diagnostic);
    const larger = toBinary(ErrorDetailSchema, detail);
    if (larger.length > MAX_DETAIL_BYTES) {
      break;
    }
    bytes = larger;
  }
  const message = error.message.replace(/\s*\n\s*/g, ' ');
  return {
    code: error.code as Exclude<StatusCode, 'OK'>,
    message: message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…` : message,
    detail: bytes,
  };
}

/** The error that a client throws for a status that arrived. A detail that cannot be decoded counts as none. */
export function fromWireStatus(method: DescMethod, status: WireStatus): ContractError {
  const options: ContractErrorOptions = { service: method.parent.typeName, method: method.name };
  try {
    const detail = fromBinary(ErrorDetailSchema, status.detail);
    const recovery = fromWireRecovery.get(detail.recovery);
    if (recovery !== undefined) {
      options.recovery = recovery;
    }
    options.diagnostics = detail.diagnostics;
  } catch {
    options.diagnostics = [];
  }
  return new ContractError(status.code, status.message, options);
}

/** A failure that the calling side itself has found. */
export function callError(
  method: DescMethod,
  code: Exclude<StatusCode, 'OK'>,
  message: string,
): ContractError {
  return new ContractError(code, message, { service: method.parent.typeName, method: method.name });
}
