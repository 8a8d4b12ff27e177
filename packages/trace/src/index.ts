export { LOG_VERSION, type LogPart, type LogSection, mergeLog } from './log-file.ts';
export { type EventLog, LogError, type LogRecord, readLog } from './read-log.ts';
