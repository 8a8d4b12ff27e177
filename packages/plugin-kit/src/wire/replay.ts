import { ContractError, type RawCall, type Transport } from '@vhostlab/contracts';
import { type Difference, firstDifference, USUALLY_IGNORED } from './differences.ts';
import { WIRE_METHODS, type WireEvent, type WireMethod, type WireRecording } from './wire-file.ts';
import { wireBytes } from './wire-message.ts';

const ANSWER_TIMEOUT_MS = 10_000;

/** An answer that is not what it was. */
export interface WireDifference extends Difference {
  /** Number of the call, and its method. */
  readonly call: number;
  readonly method: string;
  /** Which answer of the call, from 1; 0: its status. */
  readonly answer: number;
}

/** What a replay found. */
export interface ReplayReport {
  readonly calls: number;
  readonly sent: number;
  readonly answers: number;
  /** How many answers and statuses differ. */
  readonly differing: number;
  readonly first: WireDifference | undefined;
  /** What keeps the recording from being all of it; undefined: it is complete. */
  readonly cut: string | undefined;
}

interface OpenCall {
  readonly name: string;
  readonly method: WireMethod;
  readonly raw: RawCall;
  answers: number;
  isCancelled: boolean;
}

/**
 * Makes the calls of a recording at a plugin, in the order in which they were made, each message after the answers that
 * came before it, and compares every answer and status. An answer that does not come within 10 s ends the replay.
 */
export async function replayRecording(
  { events, ending }: WireRecording,
  transport: Transport,
  { ignored = [], timeoutMs = ANSWER_TIMEOUT_MS }: { ignored?: readonly string[]; timeoutMs?: number } = {},
): Promise<ReplayReport> {
  const without = new Set([...USUALLY_IGNORED, ...ignored]);
  const open = new Map<number, OpenCall>();
  const counts = { sent: 0, answers: 0, differing: 0 };
  let first: WireDifference | undefined;
  const differs = (event: WireEvent, call: OpenCall, answer: number, difference: Difference): void => {
    counts.differing++;
    first ??= { call: event.call, method: call.name, answer, ...difference };
  };
  for (const event of events) {
    if (event.do === 'open') {
      const name = event.method as string;
      const method = WIRE_METHODS.get(name) as WireMethod;
      const raw = transport.open(method, {}, undefined);
      open.set(event.call, { name, method, raw, answers: 0, isCancelled: false });
      continue;
    }
    const call = open.get(event.call) as OpenCall;
    if (event.do === 'send') {
      await call.raw.send(wireBytes(call.method.input, event));
      counts.sent++;
    } else if (event.do === 'close') call.raw.closeSend();
    else if (event.do === 'cancel') {
      call.isCancelled = true;
      call.raw.cancel();
    } else if (!call.isCancelled) {
      const came = await next(call, timeoutMs);
      const was = event.do === 'end' ? (event.status ?? 'OK') : undefined;
      if (was === undefined && 'bytes' in came) {
        call.answers++;
        counts.answers++;
        const difference = firstDifference(
          call.method.output,
          wireBytes(call.method.output, event),
          came.bytes,
          without,
        );
        if (difference !== null) differs(event, call, call.answers, difference);
      } else if (was !== undefined && 'status' in came) {
        if (was !== came.status) differs(event, call, 0, { field: 'status', was, is: came.text });
      } else {
        const [before, now] = [
          'bytes' in came ? (was as string) : 'an answer',
          'bytes' in came ? 'an answer' : came.text,
        ];
        differs(event, call, call.answers + 1, { field: '', was: before, is: now });
        // this call is out of step for good
        call.isCancelled = true;
        call.raw.cancel();
        if ('isLate' in came) break;
      }
    }
  }
  for (const { raw } of open.values()) raw.cancel();
  return { calls: open.size, ...counts, first, cut: cutOf(ending) };
}

type Came = { bytes: Uint8Array } | { status: string; text: string; isLate?: true };

async function next({ raw }: OpenCall, timeoutMs: number): Promise<Came> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Came>((resolve) => {
    const text = `no answer within ${timeoutMs / 1000} s`;
    timer = setTimeout(() => resolve({ status: 'late', text, isLate: true }), timeoutMs);
  });
  const came = raw.responses.next().then(
    ({ done, value }): Came =>
      done === true ? { status: 'OK', text: 'OK' } : { bytes: value as Uint8Array },
    (error: unknown): Came =>
      error instanceof ContractError
        ? { status: error.code, text: `${error.code}: ${error.message}` }
        : { status: 'UNKNOWN', text: String(error) },
  );
  try {
    return await Promise.race([came, late]);
  } finally {
    clearTimeout(timer);
  }
}

function cutOf(ending: WireRecording['ending']): string | undefined {
  if (ending === undefined) return 'the recording has no end: who recorded was ended';
  if (ending.end === 'full') return `the recording was full: ${ending.not_recorded} events are not in it`;
  return undefined;
}

/** A report as lines for people. */
export function replayText({ calls, sent, answers, differing, first, cut }: ReplayReport): string {
  const lines = [`${calls} calls, ${sent} messages sent, ${answers} answers: ${differing} differ`];
  if (first !== undefined) {
    const { call, method, answer, field, was, is } = first;
    const which = answer === 0 ? 'its status' : `answer ${answer}`;
    lines.push(
      `first: call ${call}, ${method}, ${which}: ${field === '' || field === 'status' ? '' : `${field} `}is ${is}, was ${was}`,
    );
  }
  if (cut !== undefined) lines.push(cut);
  return lines.map((line) => `${line}\n`).join('');
}
