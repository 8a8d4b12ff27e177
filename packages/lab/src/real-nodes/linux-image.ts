import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestInitramfs } from './initramfs.ts';

/** Folder into which tools/peers/install unpacks Debian's cloud kernel and a static busybox. */
export function imageFolder(): string {
  return process.env.VHOSTLAB_PEERS_CACHE ?? '/var/cache/vhostlab-peers';
}

/** What the image `linux` is made of and is missing here; undefined when everything is there. */
export function missingImagePart(): string | undefined {
  const parts = ['linux/boot/vmlinuz', 'linux/lib/modules/current/kernel', 'busybox/bin/busybox'];
  return parts.map((part) => join(imageFolder(), part)).find((path) => !existsSync(path));
}

/** The kernel of the image `linux`. */
export function imageKernel(): string {
  return join(imageFolder(), 'linux/boot/vmlinuz');
}

/** Writes the initial file system of a guest: busybox, virtio-net's drivers, and the shell commands `setUp`. */
export function writeInitrd(path: string, setUp: string): void {
  writeFileSync(path, guestInitramfs(imageFolder(), setUp), { mode: 0o600 });
}

/** Set-up of the devices of a guest: up, and with their addresses. */
export function deviceSetUp(devices: number, addresses: readonly string[]): string {
  return [...Array(devices).keys()]
    .flatMap((index) => [
      ...(addresses[index] === undefined ? [] : [`ip addr add ${addresses[index]} dev eth${index}`]),
      `ip link set eth${index} up`,
    ])
    .join('\n');
}
