import { type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { service as healthService } from 'grpc-health-check';
import type { Implementation } from './serve-call.ts';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];

/**
 * Adds server reflection to a server. The library reads nothing of a package definition but the encoded file
 * descriptors of its entries, and generated code carries those.
 */
export function addReflection(server: Server, implementations: readonly Implementation[]): void {
  const entries = implementations.map(({ service }) => [
    service.typeName,
    { fileDescriptorProtos: withImports(service.file) },
  ]);
  const [anyHealthMethod] = Object.values(healthService);
  entries.push([
    'grpc.health.v1.Health',
    { fileDescriptorProtos: anyHealthMethod!.requestType.fileDescriptorProtos },
  ]);
  const definition: unknown = Object.fromEntries(entries);
  new ReflectionService(definition as PackageDefinition).addToServer(server);
}

/** Encoded descriptors of a file and of all files that it imports, each once. */
function withImports(file: DescFile): Buffer[] {
  const seen = new Map<string, Buffer>();
  const visit = (at: DescFile): void => {
    if (!seen.has(at.name)) {
      seen.set(at.name, Buffer.from(toBinary(FileDescriptorProtoSchema, at.proto)));
      at.dependencies.forEach(visit);
    }
  };
  visit(file);
  return [...seen.values()];
}
