import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Folder into which tools/peers/install unpacks what it does not install. */
export function peersCache(): string {
  const cache = process.env.VHOSTLAB_PEERS_CACHE ?? '/var/cache/vhostlab-peers';
  for (const path of ['linux/boot/vmlinuz', 'busybox/bin/busybox']) {
    if (!existsSync(join(cache, path))) {
      throw new Error(`${join(cache, path)} not found: run tools/peers/install`);
    }
  }
  return cache;
}
