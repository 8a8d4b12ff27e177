import { type Descriptor, HostError, peerProcess } from '@vhostlab/host';

/** Process at the other end of a socket; null when the system does not say. */
export function processOf(socket: Descriptor): number | null {
  try {
    return peerProcess(socket);
  } catch (error) {
    if (error instanceof HostError) return null;
    throw error;
  }
}
