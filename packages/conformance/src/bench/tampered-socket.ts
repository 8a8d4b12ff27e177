import type { Fd, MessageSocket, Received, SocketListener } from '@vhostlab/vhost-user';

/** What goes out instead of a reply; null: nothing does, `close`: the connection ends. */
export type Tampered =
  | { readonly bytes: Uint8Array; readonly fds?: readonly Fd[]; readonly thenClose?: boolean }
  | null
  | 'close';

/** Changes replies on their way out, each given whole with the number of its request. */
export type Tamper = (request: number, bytes: Uint8Array, fds: readonly Fd[]) => Tampered;

/** A socket of a correct session whose replies are changed before they leave. */
export class TamperedSocket implements MessageSocket {
  readonly #inner: MessageSocket;
  readonly #tamper: Tamper;

  constructor(inner: MessageSocket, tamper: Tamper) {
    this.#inner = inner;
    this.#tamper = tamper;
  }

  send(bytes: Uint8Array, fds: readonly Fd[]): number | 'again' | 'closed' {
    const request = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const tampered = this.#tamper(request, bytes, fds);
    if (tampered === 'close') {
      this.#inner.close();
      return 'closed';
    }
    if (tampered === null) return bytes.length;
    const sent = this.#inner.send(tampered.bytes, tampered.fds ?? []);
    if (tampered.thenClose === true) {
      this.#inner.close();
      return 'closed';
    }
    // few and short as they are, replies go out whole or not at all
    return typeof sent === 'number' ? bytes.length : sent;
  }

  receive(into: Uint8Array, maxFds: number): Received | 'again' | 'closed' {
    return this.#inner.receive(into, maxFds);
  }

  listen(listener: SocketListener): void {
    this.#inner.listen(listener);
  }

  want(readable: boolean, writable: boolean): void {
    this.#inner.want(readable, writable);
  }

  close(): void {
    this.#inner.close();
  }
}
