import { randomBytes } from 'node:crypto';

/** File of the token in a folder of certificates. */
export const TOKEN_FILE = 'token';

/** A new secret of a lab: 256 random bits as text. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}
