export {
  type Journey,
  type JourneyStep,
  packetJourney,
  packetJourneys,
  representativeJourney,
} from './journey.ts';
export { LOG_VERSION, type LogPart, type LogSection, mergeLog } from './log-file.ts';
export { type EventLog, type EventLogSection, LogError, type LogRecord, readLog } from './read-log.ts';
export { IDLE_POLL, type StageAccount, type StageShare, stageShares } from './stage-shares.ts';
export { type PacketWalk, type StepCounts, type WalkStep, walkPacket } from './walk/packet-walk.ts';
export { renderWalk } from './walk/render-walk.ts';
export type { RingChange } from './walk/ring-changes.ts';
export {
  type DescribeMessage,
  type MapEntry,
  type MessageText,
  type SetupStep,
  type SetupWalk,
  walkSetup,
} from './walk/setup-walk.ts';
export { type AddressKind, KNOWN_STAGES, type StageText, stageText, type WalkRun } from './walk/stages.ts';
export { type Tap, tapOf } from './walk/taps.ts';
