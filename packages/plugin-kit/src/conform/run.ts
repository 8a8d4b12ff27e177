import { lifecycleClient } from '@vhostlab/contracts';
import type { OpenPlugin } from '../package/open-plugin.ts';
import { PluginBench } from './bench.ts';
import { BURST_CHECKS } from './burst-checks.ts';
import type { CheckInfo, PluginCheck, Verdict } from './check.ts';
import { CONTROL_CHECKS } from './control-checks.ts';
import { DATA_CHECKS } from './data-checks.ts';
import { NotClaimed } from './failure.ts';

/** Every check, in the order in which they run. */
export const PLUGIN_CHECKS: readonly PluginCheck[] = [...CONTROL_CHECKS, ...BURST_CHECKS, ...DATA_CHECKS];

/** One check and what it found. */
export interface PluginCheckResult {
  readonly check: CheckInfo;
  readonly verdict: Verdict;
  readonly observed: string;
  readonly durationMs: number;
}

/** All that a run found. */
export interface PluginReport {
  readonly plugin: { readonly name: string; readonly depth: 'device' | 'burst'; readonly summary: string };
  readonly results: readonly PluginCheckResult[];
  readonly counts: Readonly<Record<Verdict, number>>;
  /** Results that count as failures. */
  readonly failures: number;
}

/** How a plugin is checked. */
export interface ConformOptions {
  /** Options that its instances are made with. */
  readonly options?: Record<string, unknown>;
  /** Checks by id; `*` stands for anything. All of them when empty. */
  readonly only?: readonly string[];
  /** Checks that may fail, each with its reason: they count as failures when they pass. */
  readonly expected?: ReadonlyMap<string, string>;
  onResult?(result: PluginCheckResult): void;
}

/** Runs the checks on a plugin, one after the other. */
export async function conformPlugin(plugin: OpenPlugin, options: ConformOptions = {}): Promise<PluginReport> {
  const { expected = new Map<string, string>(), only = [] } = options;
  const claimed = await claims(plugin);
  const results: PluginCheckResult[] = [];
  for (const check of selectPluginChecks(only)) {
    const startedMs = performance.now();
    const found = await runCheck(check, plugin, claimed, options.options);
    const reason = expected.get(check.id);
    const result = {
      check,
      ...(reason === undefined ? found : judged(found, reason)),
      durationMs: performance.now() - startedMs,
    };
    results.push(result);
    options.onResult?.(result);
  }
  const counts: Record<Verdict, number> = {
    passed: 0,
    failed: 0,
    'claimed-failed': 0,
    'not-claimed': 0,
    expected: 0,
    'unexpected-pass': 0,
  };
  for (const { verdict } of results) counts[verdict]++;
  const { name, depth, summary } = plugin;
  return {
    plugin: { name, depth, summary },
    results,
    counts,
    failures: results.filter(isPluginFailure).length,
  };
}

/** True when a result counts as a failure. */
export function isPluginFailure({ verdict }: { verdict: Verdict }): boolean {
  return verdict === 'failed' || verdict === 'claimed-failed' || verdict === 'unexpected-pass';
}

/** Checks whose ids match one of `only`, in order. Throws a RangeError naming a pattern that matches none. */
export function selectPluginChecks(only: readonly string[]): PluginCheck[] {
  const patterns = only.map((pattern) => {
    const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
    const expression = new RegExp(`^${parts.join('.*')}$`);
    if (!PLUGIN_CHECKS.some(({ id }) => expression.test(id))) {
      throw new RangeError(`no check is named ${pattern}; --list prints them`);
    }
    return expression;
  });
  if (patterns.length === 0) return [...PLUGIN_CHECKS];
  return PLUGIN_CHECKS.filter(({ id }) => patterns.some((pattern) => pattern.test(id)));
}

type Found = Pick<PluginCheckResult, 'verdict' | 'observed'>;

async function runCheck(
  check: PluginCheck,
  plugin: OpenPlugin,
  claimed: ReadonlyMap<string, string>,
  options: Record<string, unknown> | undefined,
): Promise<Found> {
  if (check.depth !== 'any' && check.depth !== plugin.depth) {
    return { verdict: 'not-claimed', observed: `it is a ${plugin.depth} plugin` };
  }
  const needs = check.claims;
  if (needs !== undefined && plugin.depth === 'device' && claimed.get(needs) !== '') {
    return { verdict: 'not-claimed', observed: claimed.get(needs) ?? `it does not offer ${needs}` };
  }
  const bench = new PluginBench(plugin, options);
  try {
    return { verdict: 'passed', observed: await check.run(bench) };
  } catch (error) {
    const observed = (error as Error).message;
    if (error instanceof NotClaimed) return { verdict: 'not-claimed', observed };
    return { verdict: needs === undefined ? 'failed' : 'claimed-failed', observed };
  } finally {
    await bench.tidy().catch(() => undefined);
  }
}

/** Capabilities by name without the plugin's own prefix: empty when offered, else why not. */
async function claims(plugin: OpenPlugin): Promise<Map<string, string>> {
  const bench = new PluginBench(plugin, undefined);
  const { transport } = bench.connect();
  try {
    const client = lifecycleClient('backend', transport);
    await client.handshake(bench.hello());
    const list = await client.getCapabilities([]);
    return new Map(
      list.map(({ name, support, reason }) => [
        name.startsWith(`${plugin.name}.`) ? name.slice(plugin.name.length + 1) : name,
        support >= 2 ? '' : reason,
      ]),
    );
  } catch {
    return new Map();
  } finally {
    await bench.tidy();
  }
}

function judged(found: Found, reason: string): Found {
  if (found.verdict === 'failed' || found.verdict === 'claimed-failed') {
    return { verdict: 'expected', observed: `${found.observed} (expected: ${reason})` };
  }
  if (found.verdict === 'passed') {
    return {
      verdict: 'unexpected-pass',
      observed: `${found.observed} (expected to fail: ${reason}); take it out of the file`,
    };
  }
  return found;
}
