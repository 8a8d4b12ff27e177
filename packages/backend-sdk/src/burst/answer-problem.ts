import type { burstV1 } from '@vhostlab/contracts';
import { BURST_OUTPUTS, MAX_DELAY_PS, MAX_FRAME_BYTES, MIN_FRAME_BYTES } from './burst-plugin.ts';

const REASON = /^[a-z][a-z0-9_]{0,62}$/;

/** What is wrong with the answer to burst `sequence` of `frames` frames: one sentence that names the field, or null. */
export function answerProblem(
  answer: burstV1.ExchangeResponse,
  sequence: number,
  frames: number,
  ops: ReadonlySet<string>,
): string | null {
  if (answer.sequence !== BigInt(sequence)) {
    return `sequence is ${answer.sequence}; the burst was ${sequence}.`;
  }
  if (answer.outputs.length > BURST_OUTPUTS) {
    return `outputs has ${answer.outputs.length} entries; at most ${BURST_OUTPUTS}.`;
  }
  const sent = new Uint8Array(frames);
  for (const [at, { port, source, delayPs, frame }] of answer.outputs.entries()) {
    if (source >= frames) return `outputs[${at}].source is ${source}; the burst had ${frames} frames.`;
    if (port === 0 || port > 0xffff) return `outputs[${at}].port is ${port}, which is no port.`;
    if (delayPs > BigInt(MAX_DELAY_PS))
      return `outputs[${at}].delay_ps is ${delayPs}; at most ${MAX_DELAY_PS}.`;
    const { length } = frame;
    if (length !== 0 && (length < MIN_FRAME_BYTES || length > MAX_FRAME_BYTES)) {
      return `outputs[${at}].frame has ${length} bytes; ${MIN_FRAME_BYTES} to ${MAX_FRAME_BYTES}.`;
    }
    sent[source] = 1;
  }
  let dropped = 0;
  for (const [at, { reason, count }] of answer.drops.entries()) {
    if (!REASON.test(reason)) return `drops[${at}].reason is ${JSON.stringify(reason)}: lower case and _.`;
    dropped += Number(count);
  }
  const out = sent.reduce((sum, one) => sum + one, 0);
  if (out + dropped !== frames) {
    return `${out} of ${frames} frames are in outputs and ${dropped} in drops: each frame must be in one of them.`;
  }
  for (const [at, { op, count }] of answer.charges.entries()) {
    if (!ops.has(op)) return `charges[${at}].op is ${JSON.stringify(op)}, which no cost profile knows.`;
    if (count < 1 || count > 1e6) return `charges[${at}].count is ${count}; 1 to 1000000.`;
  }
  return null;
}
