import 'reflect-metadata';
import { randomBytes, type webcrypto } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { TLS_FILES } from '@vhostlab/contracts';
import { makeFolders } from '../compare/make-folder.ts';
import { UsageError } from '../scenario/options.ts';
import { PARTS, type Part } from '../services/parts.ts';
import { newToken, TOKEN_FILE } from './token.ts';

/** Who gets a certificate: the parts of a lab and the lab that calls them. */
export const CERTIFICATE_HOLDERS: readonly (Part | 'lab')[] = [...PARTS, 'lab'];

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/**
 * Makes the certificates of one lab in a new folder: an authority, whose key is thrown away, and for each service and
 * the lab a folder `ROLE/` with `ca.crt`, `tls.crt` and `tls.key`; and the lab's token. A certificate is for the name of
 * its role, wherever the service runs, so no address stands in it. Throws UsageError when the folder exists.
 */
export async function makeCertificates(folder: string, days: number, now: Date): Promise<string[]> {
  if (existsSync(folder)) {
    throw new UsageError(`${folder} exists already; certificates are made together, name a new folder`);
  }
  try {
    makeFolders(resolve(folder), 0o700);
  } catch (error) {
    throw new UsageError(`${folder} cannot be made (${(error as NodeJS.ErrnoException).code}); name another`);
  }
  const validity = {
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  };
  const authority = await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']);
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=vhostlab lab',
    keys: authority,
    serialNumber: serial(),
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const made: string[] = [];
  const write = (path: string, text: string): void => {
    writeFileSync(join(folder, path), text, { mode: 0o600 });
    chmodSync(join(folder, path), 0o600);
    made.push(path);
  };
  for (const holder of CERTIFICATE_HOLDERS) {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await leaf(holder, keys.publicKey, authority.privateKey, ca, validity);
    mkdirSync(join(folder, holder), { mode: 0o700 });
    write(join(holder, TLS_FILES.ca), ca.toString('pem'));
    write(join(holder, TLS_FILES.cert), certificate.toString('pem'));
    const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    write(join(holder, TLS_FILES.key), PemConverter.encode(key, 'PRIVATE KEY'));
  }
  write(TOKEN_FILE, `${newToken()}\n`);
  return made;
}

function leaf(
  name: string,
  publicKey: webcrypto.CryptoKey,
  signingKey: webcrypto.CryptoKey,
  ca: X509Certificate,
  validity: { notBefore: Date; notAfter: Date },
): Promise<X509Certificate> {
  return X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: ca.subject,
    serialNumber: serial(),
    publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
    ],
  });
}

/** A positive serial number of 127 bits. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] & 0x7f) | 0x40;
  return bytes.toString('hex');
}
