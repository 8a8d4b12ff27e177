import { createServer, type Server, type Socket } from 'node:net';

/** Answers of a QEMU by command; a string is an error of that class. */
export type Answers = Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => unknown>>;

/** Something that listens where a QEMU's monitor would. */
export class FakeQmp {
  readonly path: string;
  /** Commands that came. */
  readonly commands: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, greeting: string, answers: Answers) {
    this.path = path;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.write(greeting);
      let rest = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines) this.#answer(socket, JSON.parse(line), answers);
      });
    });
  }

  static async listen(path: string, answers: Answers, greeting = '{"QMP": {}}\r\n'): Promise<FakeQmp> {
    const fake = new FakeQmp(path, greeting, answers);
    await new Promise<void>((resolve) => fake.#server.listen(path, resolve));
    return fake;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(
    socket: Socket,
    asked: { execute: string; arguments: Record<string, unknown> },
    answers: Answers,
  ): void {
    this.commands.push(asked.execute);
    const answer = asked.execute === 'qmp_capabilities' ? {} : answers[asked.execute]?.(asked.arguments);
    // events come at any time
    socket.write('{"event": "RTC_CHANGE"}\r\n');
    const error = { class: 'CommandNotFound', desc: `The command ${asked.execute} has not been found` };
    socket.write(`${JSON.stringify(answer === undefined ? { error } : { return: answer })}\r\n`);
  }
}
