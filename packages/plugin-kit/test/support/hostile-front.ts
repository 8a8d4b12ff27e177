import { readFileSync } from 'node:fs';
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { handshakeLine, LISTEN_NAME } from '@vhostlab/backend-sdk';
import { serveGrpc } from '@vhostlab/contracts';
import { hostDevicePlugin } from '../../src/index.ts';
import echoDevice from './echo-device/index.ts';
import { joined } from './joined.ts';

/*
 * A good plugin behind a front that spoils one call: the file HOSTILE_FILE holds CALL=FAULT and is read at every call.
 * The front passes HTTP/2 on as it is, so a fault can be one that no library would let a program make.
 */
const GIGABYTE = 2 ** 30;
const LATE_MS = 250;
const CHUNK = new Uint8Array(1 << 20);

const folder = process.env.HOSTILE_FOLDER ?? '.';
const listen = process.env[LISTEN_NAME] ?? `unix:${join(folder, 'front')}`;
const inner = join(folder, `inner-${process.pid}`);
const plugin = process.env.HOSTILE_DEPTH === 'device' ? echoDevice : joined();
await serveGrpc({ listen: `unix:${inner}`, implementations: hostDevicePlugin(plugin).implementations });
const behind = connect('http://localhost', { createConnection: () => unixSocket(inner) });

const server = createServer({ settings: { initialWindowSize: 1 << 22 } });
server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
  stream.on('error', () => undefined);
  const [call, fault] = readFileSync(join(folder, 'fault'), 'utf8').split('=');
  if (String(headers[':path']).endsWith(`/${call}`)) spoil(stream, headers, fault ?? '');
  else pass(stream, headers);
});
server.listen(listen.slice('unix:'.length), () => process.stdout.write(`${handshakeLine(listen)}\n`));

function unixSocket(path: string) {
  const { connect: open } = process.getBuiltinModule('node:net');
  return open(path);
}

function spoil(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, fault: string): void {
  if (fault === 'crash') process.kill(process.pid, 'SIGKILL');
  if (fault === 'never') return;
  if (fault === 'late') setTimeout(() => pass(stream, headers), LATE_MS);
  else if (fault === 'twice') pass(stream, headers, 2);
  else {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { endStream: false });
    if (fault === 'garbage') stream.write(Buffer.from([0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]));
    else pour(stream);
  }
}

/** A message that says that it has a gigabyte, and then has it. */
function pour(stream: ServerHttp2Stream): void {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(GIGABYTE, 1);
  stream.write(head);
  let left = GIGABYTE;
  const more = (): void => {
    while (left > 0 && !stream.destroyed) {
      left -= CHUNK.length;
      if (!stream.write(CHUNK)) {
        stream.once('drain', more);
        return;
      }
    }
  };
  more();
}

/** Passes a call on, and each piece of its answers `times` times. */
function pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, times = 1): void {
  const request = behind.request(headers, { endStream: false });
  request.on('error', () => undefined);
  stream.pipe(request);
  stream.on('close', () => request.close());
  request.on('response', (answer) => {
    if (stream.destroyed) return;
    stream.respond(answer, { waitForTrailers: true });
  });
  request.on('trailers', (trailers) => {
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  });
  request.on('data', (bytes: Buffer) => {
    for (let time = 0; time < times; time++) if (!stream.destroyed) stream.write(bytes);
  });
  request.on('end', () => stream.end());
}
