import { isTest, type SourceFile, type SourceGraph } from './source-graph.ts';

/**
 * The one direction of imports: a package imports only packages of earlier lines.
 * Packages on one line never import each other, so services meet in `contracts` and back ends in `backend-sdk`.
 */
export const LAYERS: readonly (readonly string[])[] = [
  ['layout'],
  ['host'],
  ['telemetry'],
  ['memory'],
  ['packet'],
  ['virtqueue'],
  ['nic-queue'],
  ['virtio-net'],
  ['openflow', 'ovsdb'],
  ['engine'],
  ['cost-profile'],
  ['workload'],
  ['datapath'],
  ['vhost-user'],
  ['contracts'],
  ['backend-sdk'],
  ['backend-vhost-net', 'backend-vhost-user', 'backend-vfio', 'backend-vdpa'],
  ['guest', 'switch', 'nic'],
  ['vhost-device'],
  ['vhost-driver'],
  ['vhost-tap'],
  ['conformance'],
  ['trace'],
  ['lab'],
  ['plugin-kit'],
  ['model'],
  ['web'],
  ['cli'],
];

/** What a back end may import: a plugin has nothing private. */
const BACKEND_MAY_IMPORT = new Set([
  'backend-sdk',
  'virtqueue',
  'nic-queue',
  'datapath',
  'virtio-net',
  'memory',
  'packet',
  'engine',
]);

const EFFECTFUL_MODULES = new Set([
  'child_process',
  'cluster',
  'dgram',
  'dns',
  'fs',
  'http',
  'http2',
  'https',
  'net',
  'os',
  'tls',
  'worker_threads',
]);

const MAY_TOUCH_THE_SYSTEM = new Set([
  'cli',
  'contracts',
  'host',
  'lab',
  'plugin-kit',
  'telemetry',
  'tools',
  'trace',
  'web',
]);

/** Wall clocks and random numbers that would make two runs of one seed differ. */
const NONDETERMINISM = /\b(Date\.now|new Date|Math\.random|performance\.now|process\.hrtime)\b/;

const layerOf = new Map(LAYERS.flatMap((line, at) => line.map((name): [string, number] => [name, at])));

/**
 * Import-direction errors of the whole graph, one sentence each, in file order: packages against the layers,
 * what back ends may see, koffi, effectful node modules, OpenTelemetry SDKs and telemetry outside mains.
 */
export function directionErrors(graph: SourceGraph): string[] {
  const errors: string[] = [];
  for (const name of graph.packages) {
    if (!layerOf.has(name)) {
      errors.push(`packages/${name}: has no line in the layer table (tools/check/direction.ts); add one`);
    }
  }
  for (const file of graph.files) {
    for (const { specifier, line, target } of file.imports) {
      const where = `${file.path}:${line}`;
      const reason =
        packageError(file, specifier, target) ??
        moduleError(file, specifier) ??
        telemetryError(file, specifier);
      if (reason !== null) {
        errors.push(`${where}: ${reason}`);
      }
    }
  }
  return errors;
}

/** Uses of a wall clock or of Math.random in the sources of packages whose runs must repeat byte for byte. */
export function determinismErrors(graph: SourceGraph): string[] {
  const errors: string[] = [];
  for (const file of graph.files) {
    if (MAY_TOUCH_THE_SYSTEM.has(file.owner) || isTest(file.path) || isMain(file)) {
      continue;
    }
    const lines = file.text.split('\n');
    for (let at = 0; at < lines.length; at += 1) {
      const code = lines[at]!.replace(/^\s*(\*|\/\*|\/\/).*$/, '').replace(/\s\/\/.*$/, '');
      const found = NONDETERMINISM.exec(code);
      if (found !== null) {
        errors.push(
          `${file.path}:${at + 1}: ${found[0]} makes runs differ; take time and seeds from the engine`,
        );
      }
    }
  }
  return errors;
}

function packageError(file: SourceFile, specifier: string, target: string | null): string | null {
  const imported = packageOf(specifier, target);
  if (imported === null || imported === file.owner || file.owner === 'tools') {
    return null;
  }
  if (imported === 'tools') {
    if (isTest(file.path) && target?.startsWith('tools/peers/')) {
      return null;
    }
    return `${file.owner} imports tools; move what it needs into a package`;
  }
  if (specifier.startsWith('.')) {
    return `reaches into ${imported} by a relative path; import @vhostlab/${imported}`;
  }
  const from = layerOf.get(file.owner);
  const to = layerOf.get(imported);
  if (from === undefined) {
    return null;
  }
  if (to === undefined) {
    return `imports @vhostlab/${imported}, which is not a package of this workspace`;
  }
  if (to === from) {
    return `${file.owner} imports ${imported}, which stands on the same line of the layers`;
  }
  if (to > from) {
    return `${file.owner} imports ${imported}, which stands below it: imports run from the lower lines to the upper ones`;
  }
  if (
    file.owner.startsWith('backend-') &&
    file.owner !== 'backend-sdk' &&
    !BACKEND_MAY_IMPORT.has(imported)
  ) {
    return `a back end imports only ${[...BACKEND_MAY_IMPORT].join(', ')}, not ${imported}`;
  }
  return null;
}

function moduleError(file: SourceFile, specifier: string): string | null {
  if (specifier === 'koffi' && file.owner !== 'host') {
    return 'only host imports koffi';
  }
  const module = specifier.replace(/^node:/, '').split('/')[0]!;
  const isNodeModule = specifier.startsWith('node:') || module === specifier || specifier.startsWith('fs/');
  if (!isNodeModule || !EFFECTFUL_MODULES.has(module)) {
    return null;
  }
  if (MAY_TOUCH_THE_SYSTEM.has(file.owner) || isTest(file.path) || isMain(file)) {
    return null;
  }
  return `${file.owner} imports ${specifier}; ${[...MAY_TOUCH_THE_SYSTEM].join(', ')} and mains may touch the system`;
}

function telemetryError(file: SourceFile, specifier: string): string | null {
  const isApi = specifier === '@opentelemetry/api' || specifier.startsWith('@opentelemetry/api/');
  if (specifier.startsWith('@opentelemetry/') && !isApi && file.owner !== 'telemetry') {
    return `only telemetry imports an OpenTelemetry SDK; ${file.owner} may use @opentelemetry/api`;
  }
  const isEntry = file.owner === 'cli' || file.owner === 'tools' || isTest(file.path) || isMain(file);
  if (specifier === '@vhostlab/telemetry' && file.owner !== 'telemetry' && !isEntry) {
    return 'telemetry is imported by mains only (src/main*.ts and cli)';
  }
  return null;
}

function packageOf(specifier: string, target: string | null): string | null {
  if (specifier.startsWith('@vhostlab/')) {
    return specifier.slice('@vhostlab/'.length).split('/')[0]!;
  }
  if (target === null) {
    return null;
  }
  const parts = target.split('/');
  return parts[0] === 'packages' ? parts[1]! : 'tools';
}

/** The thin main of a service or back end: `src/main.ts` and `src/main-*.ts`. */
function isMain(file: SourceFile): boolean {
  return /^packages\/(guest|switch|nic|backend-[a-z-]+)\/src\/main[a-z-]*\.ts$/.test(file.path);
}
