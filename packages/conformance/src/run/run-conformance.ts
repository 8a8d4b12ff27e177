import { Reactor } from '@vhostlab/host';
import type { PeerControl } from '../bench/peer-control.ts';
import type { BackEndCheck, CheckInfo, FrontEndCheck } from '../check.ts';
import { BACK_END_CHECKS } from '../checks/back-end/index.ts';
import { FRONT_END_CHECKS } from '../checks/front-end/index.ts';
import { DEFAULT_LIMITS, type Limits } from '../limits.ts';
import { compared, type Expectation } from '../report/expectations.ts';
import { type CheckResult, makeReport, type PeerFacts, type Report } from '../report/report.ts';
import type { Outcome } from '../report/verdict.ts';
import { BackEndRun } from './back-end-run.ts';
import { CommandControl } from './command-control.ts';
import { FrontEndRun } from './front-end-run.ts';

export interface ConformanceOptions {
  /** What is under test: a back end that listens at the socket, or a front end that connects to it. */
  readonly role: CheckInfo['role'];
  readonly socketPath: string;
  /** Starts the peer; `{socket}` stands for the path. Absent: somebody else has started it. */
  readonly command?: string;
  /** The same for a peer that is started in another way. */
  readonly control?: PeerControl;
  /** `each` (default): the peer is started anew for each check; `ended`: only after it has ended. */
  readonly restart?: 'each' | 'ended';
  readonly limits?: Partial<Limits>;
  /** Repetitions of leak checks; default 1000. */
  readonly repeats?: number;
  /** False: the back end is of another device than net, and its rings are left alone. Default true. */
  readonly isNetwork?: boolean;
  /** Told of each result as it comes, and of the number of all. */
  readonly onResult?: (result: CheckResult, done: number, total: number) => void;
  /** What a started peer prints. */
  readonly onOutput?: (text: string) => void;
  /** Ends the run between two checks. */
  readonly signal?: AbortSignal;
  /** What is known of the peer: such results count as failures where they are otherwise. */
  readonly expectations?: readonly Expectation[];
}

/** What runs checks of one role. */
interface Run<C extends CheckInfo> {
  readonly canRestart: boolean;
  /** Asks what the peer offers. An outcome instead: it cannot be tested at all. */
  open(): Promise<PeerFacts | Outcome>;
  run(check: C): Promise<CheckResult>;
  close(): Promise<void>;
}

/**
 * Runs checks against a peer, one after the other, each on a connection of its own. What the peer does is in the report;
 * throws only what the system refuses to this side (HostError), or an abort.
 */
export async function runConformance(
  checks: readonly CheckInfo[],
  options: ConformanceOptions,
): Promise<Report> {
  const reactor = new Reactor();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { role, socketPath, command, restart = 'each', repeats = 1000, isNetwork = true } = options;
  const started =
    command === undefined
      ? null
      : new CommandControl(command, socketPath, role === 'back end', options.onOutput ?? (() => {}));
  const control = options.control ?? started;
  const common = { socketPath, control, restart, limits, repeats, isNetwork };
  try {
    return role === 'back end'
      ? await runAll(new BackEndRun(common, reactor), checks.filter(isBackEnd), options)
      : await runAll(new FrontEndRun(common, reactor), checks.filter(isFrontEnd), options);
  } finally {
    await reactor.stop();
  }
}

/** Every check of a role. */
export function checksOf(role: CheckInfo['role']): readonly CheckInfo[] {
  return role === 'back end' ? BACK_END_CHECKS : FRONT_END_CHECKS;
}

const isBackEnd = (check: CheckInfo): check is BackEndCheck => check.role === 'back end';
const isFrontEnd = (check: CheckInfo): check is FrontEndCheck => check.role === 'front end';

async function runAll<C extends CheckInfo>(
  run: Run<C>,
  checks: readonly C[],
  { onResult, signal, expectations = [] }: ConformanceOptions,
): Promise<Report> {
  const results: CheckResult[] = [];
  try {
    const opened = await run.open();
    if ('verdict' in opened) {
      const [first, ...others] = checks;
      const result = { check: first, ...opened, ok: false, durationMs: 0 };
      return makeReport(
        null,
        [result],
        others.map(({ id }) => id),
      );
    }
    for (const check of checks) {
      signal?.throwIfAborted();
      const result = compared(await run.run(check), expectations);
      results.push(result);
      onResult?.(result, results.length, checks.length);
      if (result.verdict === 'died' && !run.canRestart) break;
    }
    return makeReport(
      opened,
      results,
      checks.slice(results.length).map(({ id }) => id),
    );
  } finally {
    await run.close();
  }
}
