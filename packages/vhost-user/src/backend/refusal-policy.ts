import type { ConfigPayload, Payload } from '../codec/payload.ts';
import { u64Payload } from '../codec/payload.ts';
import type { FrontName } from '../registry/front-messages.ts';
import type { RefusalCode } from './refusal.ts';

/**
 * Messages whose refusal may go untold, because everything is as before and the front end does not build on them. A
 * refusal of any other message that nobody asked an acknowledgement for ends the connection: the front end would go on
 * with a state that the back end does not have.
 */
export const MAY_STAY_SILENT: { readonly [N in FrontName]?: string } = {
  SEND_RARP: 'one announcement fewer',
  NET_SET_MTU: 'the limit of frames stays as it was',
  SET_CONFIG: 'the configuration can be read back',
  SET_LOG_FD: 'nobody waits for it',
  SET_VRING_KICK: 'the error eventfd of the ring is signalled, other rings run on',
  VRING_KICK: 'the error eventfd of the ring is signalled, other rings run on',
};

/** Codes that end the connection even for those: the two sides disagree about the protocol itself. */
const ALWAYS_CLOSE: ReadonlySet<RefusalCode> = new Set([
  'version',
  'reply-bit',
  'short-header',
  'short-payload',
]);

/** Codes for which silence is never right: the message was no valid one. */
const MALFORMED: ReadonlySet<RefusalCode> = new Set([
  'size',
  'fd-count',
  'fds-truncated',
  'stray-fds',
  'reserved-flags',
  'reserved-bits',
  'region-count',
  'unknown-request',
  'not-negotiated',
  'unsupported',
  'ring-index',
]);

/** How the answer of a message that has its own says that it failed; absent: it cannot. */
const FAILED_REPLY: { readonly [N in FrontName]?: (payload: Payload | null) => Payload } = {
  IOTLB_MSG: () => u64Payload(1),
  POSTCOPY_END: () => u64Payload(1),
  CHECK_DEVICE_STATE: () => u64Payload(1),
  SET_DEVICE_STATE_FD: () => ({ kind: 'state-fd', error: 1, noFd: true }),
  GET_CONFIG: (payload) => {
    const { offset, size, flags } = (payload as ConfigPayload | null) ?? { offset: 0, size: 0, flags: 0 };
    return { kind: 'config', offset, size, flags, region: new Uint8Array(0) };
  },
};

/** The answer that tells of the failure of a message with an answer of its own; null: it cannot be told. */
export function failedReply(name: FrontName, payload: Payload | null): Payload | null {
  return FAILED_REPLY[name]?.(payload) ?? null;
}

/** True when a refusal ends the connection even if it could be told. */
export function alwaysCloses(code: RefusalCode): boolean {
  return ALWAYS_CLOSE.has(code);
}

/** True when a refusal that cannot be told leaves the connection open. */
export function staysSilent(name: string, code: RefusalCode): boolean {
  return name in MAY_STAY_SILENT && !MALFORMED.has(code);
}
