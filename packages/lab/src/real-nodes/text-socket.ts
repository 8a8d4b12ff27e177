import { createConnection, type Socket } from 'node:net';

/** A connected Unix stream socket that delivers text, as QEMU's monitor and serial ports are reached. */
export class TextSocket {
  readonly #socket: Socket;
  readonly #name: string;
  #closed = false;

  private constructor(name: string, socket: Socket) {
    this.#name = name;
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.once('close', () => {
      this.#closed = true;
    });
    // The end of the peer is seen by whoever waits for its answer.
    socket.on('error', () => {});
  }

  /** Connects to a listening socket; `name` stands in error messages. */
  static async connect(
    name: string,
    socketPath: string,
    received: (text: string) => void,
    closed: () => void,
  ): Promise<TextSocket> {
    const socket = createConnection(socketPath);
    socket.on('close', closed);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) =>
        reject(new Error(`${name}: no connection to ${socketPath}: ${error.message}`)),
      );
    });
    const text = new TextSocket(name, socket);
    socket.on('data', received);
    return text;
  }

  /** Sends text; rejects sends after the peer has closed. */
  send(text: string): void {
    if (this.#closed) throw new Error(`${this.#name}: the other side has closed`);
    this.#socket.write(text);
  }

  close(): void {
    this.#socket.destroy();
  }
}
