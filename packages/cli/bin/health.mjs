#!/usr/bin/env node
// Asks a service whether it serves, for health checks of containers: no imports but Node's, so that it costs little.
// usage: health.mjs HOST:PORT SERVER_NAME [TLS_FOLDER]; status 0 when it serves, 1 when not.
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';

const TIMEOUT_MS = 3000;
const SERVING = 1;
const [address, servername, tls] = process.argv.slice(2);
const read = (name) => readFileSync(join(tls, name));

function end(status, why) {
  if (why !== undefined) process.stderr.write(`${why}\n`);
  process.exit(status);
}

setTimeout(() => end(1, `no answer from ${address} within ${TIMEOUT_MS} ms`), TIMEOUT_MS);
const session = http2.connect(
  `${tls === undefined ? 'http' : 'https'}://${address}`,
  tls === undefined
    ? {}
    : {
        ca: read('ca.crt'),
        cert: read('tls.crt'),
        key: read('tls.key'),
        servername,
        ALPNProtocols: ['h2'],
      },
);
session.on('error', (error) => end(1, error.message));
const call = session.request({
  ':method': 'POST',
  ':path': '/grpc.health.v1.Health/Check',
  'content-type': 'application/grpc',
  te: 'trailers',
});
// an empty request: one byte without compression, four of length
call.end(Buffer.alloc(5));
const chunks = [];
call.on('data', (chunk) => chunks.push(chunk));
call.on('error', (error) => end(1, error.message));
call.on('end', () => {
  // the answer is field 1, a number: 08 01 is SERVING
  const answer = Buffer.concat(chunks).subarray(5);
  const isServing = answer[0] === 0x08 && answer[1] === SERVING;
  end(isServing ? 0 : 1, isServing ? undefined : `${address} does not serve`);
});
