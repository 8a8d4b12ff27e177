export { admissionLines, demandAdmission } from './admission/admission.ts';
export { admit } from './admission/admit.ts';
export { checkScenarios } from './compare/check.ts';
export { type CompareEnvironment, type Comparison, compare } from './compare/compare.ts';
export { type EventOutcome, lateEventNotes } from './compare/event-outcomes.ts';
export { findingOf, hostCoresPerMpps } from './compare/finding.ts';
export type { Measured } from './compare/measured.ts';
export { hasMigrationFailed, MigrationError, migrationNotes } from './compare/migration-notes.ts';
export type { Migration } from './compare/migration-outcome.ts';
export { notesOf } from './compare/notes.ts';
export { type Result, resultOf } from './compare/result.ts';
export { RUNS_FOLDER, RunFolder } from './compare/run-folder.ts';
export { type Swap, type Swaps, swapNotes, swapOutcome } from './compare/swap-outcome.ts';
export { linkedRoles, OVERLAYS } from './export/affinity.ts';
export { composeOf } from './export/compose.ts';
export { composeFilesOf } from './export/compose-files.ts';
export { composeVhostUserOf } from './export/compose-vhost-user.ts';
export { exportedRoles, giveToContainers, writeExportedLab } from './export/export-lab.ts';
export { kubernetesOf } from './export/kubernetes.ts';
export type { HugePages } from './export/pod.ts';
export { containedLab } from './export/real-backends.ts';
export {
  checkSweep,
  composeSweepOf,
  kubernetesSweepOf,
  type SweepPoint,
  sweepPoints,
} from './export/sweep.ts';
export { type LabFileEvent, labEventSchema, scenarioEvents } from './lab-file/events/lab-event.ts';
export { LINK_SETTINGS, linkSettingsShape } from './lab-file/link-settings.ts';
export { publishedSchemas } from './lab-file/published.ts';
export { type GivenVariables, type LabDescription, loadLabFile, readLabFile } from './lab-file/read.ts';
export type { RealLab } from './lab-file/real-lab.ts';
export type { LabNode, Placement, Topology } from './lab-file/topology.ts';
export { builtInCompareLab, type CompareLab } from './lab-file/write.ts';
export { describeActions, planActions, runKeyOf, scenariosOf } from './operate/actions.ts';
export { addEvent, addEventTo, checkEvent } from './operate/add-event.ts';
export { connectToLab } from './operate/connect.ts';
export { containerPlacer } from './operate/containers.ts';
export { applyTo, controlImplementation, stateOf } from './operate/control-service.ts';
export { mermaidOf } from './operate/graph.ts';
export { LABS_FOLDER, LabFolder, labNames } from './operate/lab-folder.ts';
export { startOf, thisProcess } from './operate/lab-lock.ts';
export type { LabSupervisor } from './operate/lab-supervisor.ts';
export { removeLeftContainers } from './operate/left-containers.ts';
export { type LinkRow, type LinkSetting, linkRows, settableLink } from './operate/link-rows.ts';
export { describePlan, planReal, realAsks } from './operate/real/plan.ts';
export { RealSupervisor, type RealSupervisorOptions } from './operate/real/real-supervisor.ts';
export type { LabEvent, LabState, NodeState, RunState, WantedLab } from './operate/state.ts';
export { Supervisor, type SupervisorOptions } from './operate/supervisor.ts';
export { newToken, TOKEN_FILE } from './operate/token.ts';
export {
  compareReal,
  type RealComparison,
  type RealEnvironment,
  type RealResult,
} from './real/compare-real.ts';
export { parseRealOptions, REAL_BACKENDS, REAL_WORKLOADS, type RealOptions } from './real/real-options.ts';
export { runInGuest, shellCommand } from './real-nodes/exec-socket.ts';
export type { ChannelTraffic, ProcessHandle } from './run/coordinate.ts';
export type { Progress } from './run/process-runtime.ts';
export type { ChannelTime, ProcessTime, RunMeasurement } from './run/run-meter.ts';
export { type Lab, runScenario, type ScenarioInput, type ScenarioOutcome } from './run/run-scenario.ts';
export { RuntimeServer } from './run/runtime-service.ts';
export { buildScenario, type Capture, defaultFlows, packetsOf } from './scenario/build.ts';
export { loadCapture } from './scenario/capture.ts';
export {
  type CompareOptions,
  type CompareOptionsInput,
  compareOptionsSchema,
  notApplicable,
  parseCompareOptions,
  UsageError,
} from './scenario/options.ts';
export { isAddress, locateChoice, nameApart, type PluginChoice } from './scenario/plugin-choice.ts';
export {
  type BackendRow,
  builtInBackends,
  type OpenPlugins,
  type PluginOpener,
  type Plugins,
  pluginPlaces,
  rowsOf,
} from './scenario/rows.ts';
export { type OpenLab, openEmbeddedLab } from './services/embedded.ts';
export { openProcessLab } from './services/processes.ts';
export { PLUGINS, ROLES, SERVICES } from './services/registry.ts';
export { type HostedServices, hostServices, type Tracing } from './services/serve.ts';
export { ServiceLostError } from './services/service-lost.ts';
export type { ServiceCommand } from './services/service-process.ts';
