export type { LabPageData, LabPageLink, LabPageNode, LabPageRun } from './lab-page/lab-page-data.ts';
export { renderLabPage } from './lab-page/render-lab-page.ts';
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
