/** A place that gRPC services listen at. */
export interface Address {
  /** Host name or IP address, absent for sockets. */
  readonly host?: string;
  /** TCP port, 0 to 65535; 0 lets the system choose when listening. */
  readonly port?: number;
  /** Absolute path of a Unix socket. */
  readonly socketPath?: string;
  /** As grpc-js wants it. */
  readonly target: string;
}

/** Longest path of a Unix socket in Linux: sun_path less its end. */
const MAX_SOCKET_PATH = 107;

/** What can be wrong with an address; its message is one sentence for the operator. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** Reads `HOST:PORT`, `[IPV6]:PORT`, `unix:/path` or `unix:///path`; throws AddressError for anything else. */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const socketPath = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (!/^\/(?!\/)/.test(socketPath)) {
      throw new AddressError(`Address "${text}" needs an absolute path, as in unix:/run/vhostlab/nic.sock.`);
    }
    if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
      throw new AddressError(
        `Socket path "${socketPath}" is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter one.`,
      );
    }
    return { socketPath, target: `unix:${socketPath}` };
  }
  const match = /^(\[[0-9a-fA-F:.%a-z]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65535) {
    throw new AddressError(
      `Address "${text}" is not HOST:PORT (port 0 to 65535), [IPV6]:PORT or unix:/path.`,
    );
  }
  const host = match[1]!;
  return { host: host.replace(/^\[|\]$/g, ''), port, target: `${host}:${port}` };
}
