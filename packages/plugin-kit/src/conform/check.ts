import type { PluginBench } from './bench.ts';

/** What a check says of a plugin. */
export const VERDICTS = {
  passed: 'required passed',
  failed: 'required failed',
  'claimed-failed': 'claimed and failed',
  'not-claimed': 'not claimed',
  expected: 'expected failure',
  'unexpected-pass': 'passed although expected to fail',
} as const;
export type Verdict = keyof typeof VERDICTS;

/** A check without what it does. */
export interface CheckInfo {
  readonly id: string;
  readonly title: string;
  /** What the contract asks for. */
  readonly requirement: string;
  /** Which plugins it is about. */
  readonly depth: 'any' | 'burst' | 'device';
  /** Capability without which it is not claimed. */
  readonly claims?: string;
}

/** One check: answers what it saw, throws CheckFailure or NotClaimed. */
export interface PluginCheck extends CheckInfo {
  run(bench: PluginBench): Promise<string>;
}
