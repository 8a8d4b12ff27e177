import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { type Address, AddressError } from './address.ts';

/** What keeps strangers out of a lab. */
export interface Security {
  /** Secret of the lab: every call carries it, and a call without it ends in UNAUTHENTICATED. */
  readonly token?: string;
  /** Mutual TLS: both sides show a certificate of the lab's own authority. PEM. */
  readonly tls?: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
}

/** Files of a folder of certificates, as `vhostlab lab certs` makes it. */
export const TLS_FILES = { ca: 'ca.crt', cert: 'tls.crt', key: 'tls.key' } as const;

/** Metadata key of the token; `authorization` would be logged by proxies. */
export const TOKEN_KEY = 'vhostlab-token';

/** Tokens have at least this many characters. */
export const MIN_TOKEN_LENGTH = 32;

/** Reads a token and a folder of certificates; throws AddressError, one sentence that names the file. */
export function loadSecurity(from: { tokenFile?: string; tlsFolder?: string }): Security {
  const read = (path: string, what: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new AddressError(`The ${what} ${path} cannot be read (${code}); vhostlab lab certs makes it.`);
    }
  };
  const { tokenFile, tlsFolder } = from;
  const token = tokenFile === undefined ? undefined : read(tokenFile, 'token').toString('utf8').trim();
  if (token !== undefined && (token.length < MIN_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(token))) {
    throw new AddressError(
      `The token in ${tokenFile} is not ${MIN_TOKEN_LENGTH} or more printable characters; make a new one.`,
    );
  }
  const tls =
    tlsFolder === undefined
      ? undefined
      : {
          ca: read(join(tlsFolder, TLS_FILES.ca), 'certificate'),
          cert: read(join(tlsFolder, TLS_FILES.cert), 'certificate'),
          key: read(join(tlsFolder, TLS_FILES.key), 'key'),
        };
  return { ...(token === undefined ? {} : { token }), ...(tls === undefined ? {} : { tls }) };
}

/** Whether an address can be reached from this machine alone. */
export function isLocal(address: Address): boolean {
  const { host, socketPath } = address;
  return (
    socketPath !== undefined || host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host ?? '')
  );
}

/**
 * Credentials of a listener. Throws AddressError for an address that other machines reach without certificates: what is
 * sent there is guest memory and configuration. Unix sockets need no TLS: the file's mode says who may connect.
 */
export function serverCredentials(address: Address, { tls }: Security): ServerCredentials {
  if (address.socketPath !== undefined) return ServerCredentials.createInsecure();
  if (tls === undefined) {
    if (isLocal(address)) return ServerCredentials.createInsecure();
    throw new AddressError(
      `Address ${address.target} is reached from other machines, which needs certificates; give --tls FOLDER (vhostlab lab certs makes one) or listen at 127.0.0.1.`,
    );
  }
  return ServerCredentials.createSsl(tls.ca, [{ private_key: tls.key, cert_chain: tls.cert }], true);
}

/** Credentials of a connection: TLS to every TCP address when there are certificates. */
export function channelCredentials(address: Address, { tls }: Security): ChannelCredentials {
  return tls === undefined || address.socketPath !== undefined
    ? ChannelCredentials.createInsecure()
    : ChannelCredentials.createSsl(tls.ca, tls.key, tls.cert);
}

/** Compares a caller's token with the lab's, in a time that tells nothing. */
export function isTokenRight(given: string | undefined, token: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
