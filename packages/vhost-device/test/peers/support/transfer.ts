import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { LinuxGuest, Network } from '../../../../../tools/peers/index.ts';

export const HOST = '10.0.0.1';
export const GUEST = '10.0.0.2';
const PORT = 5000;
const TRANSFER_MS = 90_000;
/** The name under which a guest has one piece of what is transferred. */
export const PIECE_FILE = 'data';
const PIECES = 5;

/** Bytes to transfer: one piece, sent several times in one connection. */
export interface Load {
  readonly piece: Uint8Array;
  readonly bytes: number;
  /** Hash of all pieces, in hexadecimal. */
  readonly sha256: string;
}

/** A load of `bytes`, a multiple of 5. */
export function loadOf(bytes: number): Load {
  const piece = randomBytes(bytes / PIECES);
  const hash = createHash('sha256');
  for (let at = 0; at < PIECES; at += 1) hash.update(piece);
  return { piece, bytes, sha256: hash.digest('hex') };
}

/** The guest sends a load, and the host must get every byte of it. */
export async function transferToHost(guest: LinuxGuest, network: Network, load: Load): Promise<void> {
  const taken = network.receive(PORT);
  taken.catch(() => {});
  const pieces = Array.from({ length: PIECES }, () => `/${PIECE_FILE}`).join(' ');
  // netcat hands the connection to cat, which lets the kernel copy the file into it.
  await guest.must(`until nc ${HOST} ${PORT} -e cat ${pieces}; do sleep 0.1; done`, TRANSFER_MS);
  expect(await taken).toEqual({ sha256: load.sha256, bytes: load.bytes });
}

/** The host sends a load, and the guest must get every byte of it. */
export async function transferToGuest(guest: LinuxGuest, network: Network, load: Load): Promise<void> {
  await guest.must(
    `rm -f /tmp/sum; nc -l -p ${PORT} -e sh -c 'sha256sum > /tmp/sum' >/dev/null 2>&1 & until netstat -ltn | grep -q :${PORT}; do sleep 0.1; done`,
  );
  await network.send(GUEST, PORT, load.piece, PIECES);
  const sum = await guest.must('until [ -s /tmp/sum ]; do sleep 0.1; done; cat /tmp/sum', TRANSFER_MS);
  expect(sum).toContain(load.sha256);
}
