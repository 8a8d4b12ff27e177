import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** What disturbed a measurement: figures beside which the others have to be read. */
export interface Fidelity {
  /** CPU time that the hypervisor took away, as a share of all CPU time of the span. */
  readonly stealShare: number;
  /** Timers of 10 ms that came more than 1 ms late, and the worst of them. */
  readonly lateTimers: number;
  readonly worstLateMs: number;
  /** Times that the kernel took the CPU from a thread that wanted to go on. */
  readonly preemptions: number;
}

const TIMER_MS = 10;
const LATE_MS = 1;

/** Watches the machine and some processes from now until `end`. */
export class FidelityWatch {
  readonly #pids: readonly number[];
  readonly #before = cpuTimes();
  readonly #switches: number;
  readonly #timer: NodeJS.Timeout;
  #lastMs = performance.now();
  #late = 0;
  #worstMs = 0;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#switches = preemptionsOf(pids);
    this.#timer = setInterval(() => {
      const now = performance.now();
      const lateMs = now - this.#lastMs - TIMER_MS;
      this.#lastMs = now;
      if (lateMs > LATE_MS) this.#late++;
      this.#worstMs = Math.max(this.#worstMs, lateMs);
    }, TIMER_MS);
  }

  end(): Fidelity {
    clearInterval(this.#timer);
    const after = cpuTimes();
    const total = after.total - this.#before.total;
    return {
      stealShare: total > 0 ? (after.steal - this.#before.steal) / total : 0,
      lateTimers: this.#late,
      worstLateMs: this.#worstMs,
      preemptions: Math.max(0, preemptionsOf(this.#pids) - this.#switches),
    };
  }
}

/** Name of the machine's CPU and how many there are, for the head of a measured table. */
export function machineName(): string {
  const all = cpus();
  return `${all.length} × ${all[0]?.model.trim() ?? 'unknown CPU'}`;
}

/** CPU seconds that a process has used. 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

function cpuTimes(): { total: number; steal: number } {
  const fields = read('/proc/stat').split('\n')[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? [];
  return { total: fields.reduce((sum, value) => sum + value, 0), steal: fields[7] ?? 0 };
}

function preemptionsOf(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const thread of threadsOf(pid)) {
      const found = /^nonvoluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/task/${thread}/status`));
      sum += Number(found?.[1] ?? 0);
    }
  }
  return sum;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
