export { renderReport } from './render-report.ts';
export type {
  LatencyFigures,
  PerPacketFigures,
  ReportData,
  ReportJourney,
  ReportResult,
  ReportRun,
  ReportStage,
  ReportStep,
} from './report-data.ts';
