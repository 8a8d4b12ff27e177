/**
 * The line that a plugin prints when it listens, in the form of go-plugin:
 * `CORE-VERSION|CONTRACT-VERSION|NETWORK|ADDRESS|PROTOCOL`, such as `1|1|unix|/tmp/p.sock|grpc`.
 */
export const CORE_PROTOCOL_VERSION = 1;
/** Contract versions that this build can talk: the packages `vhostlab.*.v1`. */
export const CONTRACT_VERSIONS: readonly number[] = [1];
/** Environment that tells a program that a host has started it: no secret, only a help for who starts it by hand. */
export const COOKIE_NAME = 'VHOSTLAB_PLUGIN_COOKIE';
export const COOKIE_VALUE = '8b4cf9f6b2d0-virtio-burst';
/** Where a host wants the plugin to listen: `unix:/path` or `HOST:PORT`. */
export const LISTEN_NAME = 'VHOSTLAB_PLUGIN_LISTEN';
/** Set when standard input ends with the host, however that ends: the plugin then ends, too. */
export const STDIN_NAME = 'VHOSTLAB_PLUGIN_STDIN';

const MAX_LINE = 1024;

/** The line of a plugin that listens at `address` (`HOST:PORT` or `unix:/path`). */
export function handshakeLine(address: string): string {
  const isSocket = address.startsWith('unix:');
  const place = isSocket ? `unix|${address.slice('unix:'.length)}` : `tcp|${address}`;
  return `${CORE_PROTOCOL_VERSION}|${CONTRACT_VERSIONS[CONTRACT_VERSIONS.length - 1]}|${place}|grpc`;
}

/** Where a plugin listens, by its line; or one sentence on why it is refused, which its author should read. */
export function readHandshakeLine(line: string): { readonly address: string } | { readonly refusal: string } {
  const shown = JSON.stringify(line.slice(0, 80));
  const fields = line.slice(0, MAX_LINE).trim().split('|');
  if (fields.length < 5) {
    return {
      refusal: `its first line on standard output is ${shown}, not CORE|CONTRACT|NETWORK|ADDRESS|grpc; print logs to standard error`,
    };
  }
  const [core, contract, network, address, protocol] = fields as [string, string, string, string, string];
  if (core !== String(CORE_PROTOCOL_VERSION)) {
    return {
      refusal: `it speaks core protocol ${core}, this host ${CORE_PROTOCOL_VERSION}; build it with the SDK of this version`,
    };
  }
  if (!CONTRACT_VERSIONS.map(String).includes(contract)) {
    return {
      refusal: `it speaks contract version ${contract}, this host ${CONTRACT_VERSIONS.join(', ')}; build it with the SDK of this version`,
    };
  }
  if (protocol !== 'grpc') return { refusal: `it speaks ${protocol}, and a plugin must speak grpc` };
  if (network === 'unix' && address.startsWith('/')) return { address: `unix:${address}` };
  if (network === 'tcp' && /:\d{1,5}$/.test(address)) return { address };
  return {
    refusal: `its address is ${network} ${JSON.stringify(address)}, not "unix" with an absolute path or "tcp" with HOST:PORT`,
  };
}

/** Null, or why a program that is a plugin should not go on: nobody but a host starts it. */
export function cookieProblem(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
): string | null {
  if (env[COOKIE_NAME] === COOKIE_VALUE) return null;
  return `${name} is a vhostlab plugin and is started by vhostlab: run "vhostlab plugin run --package DIR"`;
}
