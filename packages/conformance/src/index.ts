export type { PeerControl } from './bench/peer-control.ts';
export type { BackEndCheck, CheckInfo, FrontEndCheck, Need } from './check.ts';
export { BACK_END_CHECKS } from './checks/back-end/index.ts';
export { FRONT_END_CHECKS } from './checks/front-end/index.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { type Expectation, parseExpectations } from './report/expectations.ts';
export { junitXml } from './report/junit.ts';
export {
  type CheckResult,
  deathsOf,
  exitStatus,
  isFailure,
  type PeerFacts,
  type Report,
  reportJson,
} from './report/report.ts';
export { failureText, listText, peerText, resultLine, summaryText } from './report/text.ts';
export { type Outcome, VERDICTS, type Verdict } from './report/verdict.ts';
export { CommandControl } from './run/command-control.ts';
export { type ConformanceOptions, checksOf, runConformance } from './run/run-conformance.ts';
export { selectChecks } from './run/select.ts';
