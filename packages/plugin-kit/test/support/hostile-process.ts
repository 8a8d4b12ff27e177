import { writeSync } from 'node:fs';
import { handshakeLine, LISTEN_NAME } from '@vhostlab/backend-sdk';
import { type Implementation, serveGrpc } from '@vhostlab/contracts';
import { hostDevicePlugin } from '../../src/index.ts';
import { joined } from './joined.ts';

// a burst plugin that is at fault in one call: HOSTILE is CALL=FAULT
const [call = '', fault = ''] = (process.env.HOSTILE ?? '').split('=');
const HUGE_BYTES = 80 << 20;

type Handler = (input: never, context: never) => unknown;

/** The good handler of the call, or what is done in its place. */
function hostile(name: string, good: Handler): Handler {
  if (name.toLowerCase() !== call.toLowerCase()) return good;
  if (name === 'exchange') {
    return async function* (requests, context) {
      for await (const answer of good(requests, context) as AsyncIterable<{ outputs: object[] }>) {
        if (fault === 'crash') process.kill(process.pid, 'SIGKILL');
        if (fault === 'never') await new Promise(() => undefined);
        if (fault === 'end') return;
        // more than a pipe holds, while the host does nothing but wait
        if (fault === 'talk') for (const fd of [1, 2]) writeSync(fd, `${'x'.repeat(1 << 20)}\n`);
        const [first] = answer.outputs;
        yield fault === 'huge'
          ? { ...answer, outputs: [{ ...first, frame: new Uint8Array(HUGE_BYTES) }] }
          : answer;
        if (fault === 'twice') yield answer;
      }
    } as Handler;
  }
  return (input, context) => {
    if (fault === 'crash') process.kill(process.pid, 'SIGKILL');
    if (fault === 'never') return new Promise(() => undefined);
    if (fault === 'version') return { hello: { protocolVersions: [9], name: 'hostile', instanceId: 'x' } };
    if (fault === 'throw') throw new Error('on purpose');
    return good(input, context);
  };
}

const implementations = hostDevicePlugin(joined()).implementations.map((one): Implementation => {
  const handlers = Object.entries(one.handlers).map(([name, good]) => [name, hostile(name, good as Handler)]);
  return { ...one, handlers: Object.fromEntries(handlers) };
});
const server = await serveGrpc({ listen: process.env[LISTEN_NAME] ?? '127.0.0.1:0', implementations });
process.stdout.write(`${handshakeLine(server.address)}\n`);
