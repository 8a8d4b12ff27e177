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
