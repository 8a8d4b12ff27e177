import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials } from '@grpc/grpc-js';

interface Reply {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Uint8Array[] };
  errorResponse?: { errorMessage: string };
}

interface MethodOfLoader {
  path: string;
  requestSerialize(value: object): Buffer;
  responseDeserialize(bytes: Buffer): Reply;
}

/** The reflection library ships the proto file; proto-loader is its dependency. */
function infoMethod(): MethodOfLoader {
  const near = createRequire(createRequire(import.meta.url).resolve('@grpc/reflection'));
  const loader = near('@grpc/proto-loader') as {
    loadSync(path: string, options: object): Record<string, Record<string, MethodOfLoader>>;
  };
  const main = createRequire(import.meta.url).resolve('@grpc/reflection');
  const proto = join(dirname(main), '../proto/grpc/reflection/v1/reflection.proto');
  return loader.loadSync(proto, { oneofs: true })['grpc.reflection.v1.ServerReflection']!
    .ServerReflectionInfo!;
}

async function ask(address: string, request: object): Promise<Reply> {
  const method = infoMethod();
  const client = new Client(address, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(
    method.path,
    (value: object) => method.requestSerialize(value),
    (bytes: Buffer) => method.responseDeserialize(bytes),
  );
  const reply = await new Promise<Reply>((resolve, reject) => {
    call.once('data', resolve);
    call.once('error', reject);
    call.write(request);
  });
  call.end();
  client.close();
  if (reply.errorResponse !== undefined) {
    throw new Error(reply.errorResponse.errorMessage);
  }
  return reply;
}

/** Names of all services at an address, ordered. */
export async function listServices(address: string): Promise<string[]> {
  const { listServicesResponse } = await ask(address, { listServices: '*' });
  return listServicesResponse!.service.map(({ name }) => name).sort();
}

/** The file that declares a symbol, with the files that it imports. */
export async function symbolFiles(address: string, symbol: string): Promise<FileDescriptorProto[]> {
  const { fileDescriptorResponse } = await ask(address, { fileContainingSymbol: symbol });
  return fileDescriptorResponse!.fileDescriptorProto.map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
}
