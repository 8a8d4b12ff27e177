import { createServer, type Server } from 'node:net';
import type { GuestConsole, GuestResult } from './guest-console.ts';
import { TextSocket } from './text-socket.ts';

const MAX_COMMAND_CHARS = 64 * 1024;
const GUEST_TIMEOUT_MS = 10 * 60_000;

/** Serves a guest's console to other processes of the owner: a line of JSON with a command, and one with what came of it. */
export async function serveConsole(path: string, guest: () => GuestConsole | undefined): Promise<Server> {
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('data', (more: string) => {
      text += more;
      const end = text.indexOf('\n');
      if (end < 0) {
        if (text.length > MAX_COMMAND_CHARS) socket.destroy();
        return;
      }
      socket.pause();
      void answer(text.slice(0, end), guest()).then((reply) => socket.end(`${JSON.stringify(reply)}\n`));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return server;
}

async function answer(
  line: string,
  guest: GuestConsole | undefined,
): Promise<GuestResult | { error: string }> {
  if (guest === undefined) return { error: 'the guest takes no commands yet' };
  try {
    return await guest.run(String(JSON.parse(line)), GUEST_TIMEOUT_MS);
  } catch (error) {
    return { error: (error as Error).message };
  }
}

/** Runs a shell command in the guest behind `path`. Rejects with one sentence when it cannot be run. */
export async function runInGuest(path: string, command: string): Promise<GuestResult> {
  const { promise, resolve, reject } = Promise.withResolvers<GuestResult>();
  // told by what is awaited below, also when there is no connection
  promise.catch(() => undefined);
  let text = '';
  const socket = await TextSocket.connect(
    'guest',
    path,
    (more) => {
      text += more;
    },
    () => {
      try {
        const reply = JSON.parse(text) as GuestResult | { error: string };
        if ('error' in reply) reject(new Error(reply.error));
        else resolve(reply);
      } catch {
        reject(new Error('the guest went away before the command had ended'));
      }
    },
  );
  socket.send(`${JSON.stringify(command)}\n`);
  return promise;
}

/** Words of a command line as one shell command. */
export function shellCommand(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
