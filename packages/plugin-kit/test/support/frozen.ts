import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { createFileRegistry, type DescMethod, type DescService, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

const ROOT = join(import.meta.dirname, '../../../..');
const FROZEN = join(ROOT, 'packages/contracts/frozen/v1');

/** The two services of plugins as they were frozen: descriptors of those files, and nothing of today's code. */
export function frozenServices(): { backend: DescService; burst: DescService } {
  const image = execFileSync(join(ROOT, 'node_modules/.bin/buf'), ['build', FROZEN, '-o', '-#format=binpb'], {
    cwd: ROOT,
    maxBuffer: 16 << 20,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const service = (name: string): DescService => {
    const found = registry.getService(`vhostlab.backend.v1.${name}`);
    if (found === undefined) throw new Error(`${name} is not among the frozen contracts`);
    return found;
  };
  return { backend: service('BackendService'), burst: service('BurstService') };
}

/** Names of a service's calls. */
export function callsOf(service: DescService): string[] {
  return service.methods.map(({ name }: DescMethod) => name);
}
