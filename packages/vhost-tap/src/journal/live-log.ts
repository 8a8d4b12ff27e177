import { explainMessage, type Message } from '@vhostlab/vhost-user';
import type { RingSample } from '../observe/ring-sample.ts';
import { FileSink } from './file-sink.ts';

/** How long changes of one ring are gathered into one line. */
const GATHER_NS = 100e6;

interface Gathered {
  readonly session: number;
  readonly queue: number;
  sinceNs: number;
  untilNs: number;
  availSteps: number;
  usedSteps: number;
  missed: number;
  samples: number;
  last: RingSample | null;
}

/** The log for people: one line for each message, kick, call, violation, and for what rings did meanwhile. */
export class LiveLog {
  readonly #sink: FileSink;
  readonly #echo: ((line: string) => void) | null;
  readonly #rings = new Map<string, Gathered>();

  /** `echo`: gets every line too. */
  constructor(path: string, echo: ((line: string) => void) | null) {
    this.#sink = new FileSink(path);
    this.#echo = echo;
  }

  message(timeNs: number, session: number, message: Message): void {
    this.#ringLines();
    this.line(timeNs, session, explainMessage(message));
  }

  /** A kick or a call with the indices at that moment. */
  notification(
    timeNs: number,
    session: number,
    what: 'KICK' | 'CALL',
    queue: number,
    sample: RingSample | null,
  ): void {
    const places = sample === null ? '' : ` ${placesOf(sample)}`;
    this.#ringLines();
    this.line(timeNs, session, `${what} vq${queue}${places}`);
  }

  /** A sample that differs from the one before. */
  ring(timeNs: number, session: number, queue: number, sample: RingSample): void {
    const key = `${session}/${queue}`;
    let gathered = this.#rings.get(key);
    if (gathered === undefined) {
      gathered = {
        session,
        queue,
        sinceNs: timeNs,
        untilNs: timeNs,
        availSteps: 0,
        usedSteps: 0,
        missed: 0,
        samples: 0,
        last: null,
      };
      this.#rings.set(key, gathered);
    }
    gathered.untilNs = timeNs;
    gathered.availSteps += Math.max(0, sample.availSteps);
    gathered.usedSteps += Math.max(0, sample.usedSteps);
    gathered.missed += sample.availMissed;
    gathered.samples++;
    gathered.last = sample;
    if (timeNs - gathered.sinceNs >= GATHER_NS) this.#ringLine(key, gathered);
  }

  line(timeNs: number, session: number, text: string): void {
    const prefix = session > 1 ? `[${session}] ` : '';
    const line = `${(timeNs / 1e9).toFixed(3)} ${prefix}${text}`;
    this.#sink.text(`${line}\n`);
    this.#echo?.(line);
  }

  flush(): void {
    this.#ringLines();
    this.#sink.flush();
  }

  close(): void {
    this.#ringLines();
    this.#sink.close();
  }

  #ringLines(): void {
    if (this.#rings.size === 0) return;
    const inOrder = [...this.#rings].sort(([, a], [, b]) => a.untilNs - b.untilNs);
    for (const [key, gathered] of inOrder) this.#ringLine(key, gathered);
  }

  #ringLine(key: string, gathered: Gathered): void {
    this.#rings.delete(key);
    const { last, session, queue, availSteps, usedSteps, missed, samples, untilNs } = gathered;
    if (last === null) return;
    const steps = `+${availSteps} avail, +${usedSteps} used, ${missed} not seen, ${samples} samples`;
    this.line(untilNs, session, `RING vq${queue} ${placesOf(last)} (${steps})`);
  }
}

/**
 * `avail=12 used=10 driver=0/3 device=0/11`: places, then flags and event word of both sides. Packed places are a
 * descriptor and, behind the colon, its wrap counter.
 */
export function placesOf(sample: RingSample): string {
  const place = (word: number) => (sample.isPacked ? `${word & 0x7fff}:${word >>> 15}` : String(word));
  const words = (flags: number, event: number) => (event < 0 ? String(flags) : `${flags}/${place(event)}`);
  const { avail, used, driverFlags, driverEvent, deviceFlags, deviceEvent } = sample;
  return `avail=${place(avail)} used=${place(used)} driver=${words(driverFlags, driverEvent)} device=${words(deviceFlags, deviceEvent)}`;
}
