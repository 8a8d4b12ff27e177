export { optionFaults } from '@vhostlab/backend-sdk';
export { type CheckInfo, type PluginCheck, VERDICTS, type Verdict } from './conform/check.ts';
export { readExpectedFailures } from './conform/expected.ts';
export {
  pluginCheckList,
  pluginFailureText,
  pluginJunit,
  pluginReportJson,
  pluginResultLine,
  pluginSummary,
} from './conform/report.ts';
export {
  type ConformOptions,
  conformPlugin,
  isPluginFailure,
  PLUGIN_CHECKS,
  type PluginCheckResult,
  type PluginReport,
  selectPluginChecks,
} from './conform/run.ts';
export { configured } from './lab/configured.ts';
export { type HostedPlugin, type HostOptions, hostDevicePlugin } from './lab/host-plugin.ts';
export { type LabRun, type LabRunResult, PluginLab } from './lab/plugin-lab.ts';
export { asDevice, importPlugin } from './package/import-plugin.ts';
export { type Launched, launch } from './package/launch.ts';
export { type Listed, listPlugins } from './package/list-plugins.ts';
export { MANIFEST_FILE, type Manifest, PluginUsageError, readManifest } from './package/manifest.ts';
export { openPlaces, placeAt } from './package/open-places.ts';
export { type OpenPlugin, openPlugin, type PluginPlace } from './package/open-plugin.ts';
export type { RemoteDevice } from './package/remote-device.ts';
export { unpackTarball } from './package/unpack-tarball.ts';
export { type NewPlugin, newPlugin, pluginFiles } from './scaffold/new-plugin.ts';
export { type Exploration, type ExploreOptions, exploreSchedules } from './schedule/explore.ts';
export { USUALLY_IGNORED } from './wire/differences.ts';
export { serveProxy } from './wire/proxy.ts';
export { recordTransport } from './wire/record-transport.ts';
export { type ReplayReport, replayRecording, replayText, type WireDifference } from './wire/replay.ts';
export {
  readRecording,
  type WireEnding,
  type WireEvent,
  type WireHeader,
  type WireRecording,
  WireWriter,
} from './wire/wire-file.ts';
