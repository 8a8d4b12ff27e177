import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file of the guest's root; a folder when it has no content. */
export interface GuestFile {
  readonly path: string;
  /** Type and permissions, as `st_mode` has them. */
  readonly mode: number;
  readonly content?: Uint8Array;
  /** Major and minor number of a device node. */
  readonly device?: readonly [number, number];
}

const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const FILE = 0o100644;
const CHARACTER_DEVICE = 0o020600;

/** Modules for virtio-net over PCI, in the order of their dependencies, below `kernel/` of the modules' folder. */
const MODULES = [
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_pci_modern_dev.ko',
  'drivers/virtio/virtio_pci_legacy_dev.ko',
  'drivers/virtio/virtio_pci.ko',
  'net/core/failover.ko',
  'drivers/net/net_failover.ko',
  'drivers/net/virtio_net.ko',
];

/** The line that the guest writes to its second serial port when it takes commands. */
export const GUEST_READY = '@@ready';

/**
 * The first process: it loads the drivers, runs what the machine's owner gave it, and starts the shell that obeys the
 * second serial port, one command a line. It does not read itself, because it inherits children that end at any time,
 * and busybox's shell loses what it has read of a line when a child ends.
 */
function initScript(setUp: string): string {
  return `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=dumb
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
for module in ${MODULES.map((path) => path.split('/').at(-1)).join(' ')}; do insmod /modules/$module; done
ip link set lo up
${setUp}
stty -F /dev/ttyS1 raw -echo
sh /obey </dev/ttyS1 >/dev/ttyS1 2>&1 &
while true; do wait; sleep 1; done
`;
}

const OBEY = `echo ${GUEST_READY}
while IFS= read -r line; do eval "$line"; done
poweroff -f
`;

/** The guest's whole root as a cpio archive, which the kernel unpacks into memory. `cache` is where install put things. */
export function guestInitramfs(
  cache: string,
  setUp: string,
  files: Readonly<Record<string, Uint8Array>> = {},
): Buffer {
  const modules = join(cache, 'linux/lib/modules/current/kernel');
  const text = (content: string) => new TextEncoder().encode(content);
  const folders = new Set(['bin', 'dev', 'proc', 'sys', 'tmp', 'modules']);
  for (const path of Object.keys(files)) {
    // the kernel unpacks no file whose folder is not there yet
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join('/'));
  }
  return cpioArchive([
    ...[...folders].map((path) => ({ path, mode: DIRECTORY })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { path: 'bin/busybox', mode: PROGRAM, content: readFileSync(join(cache, 'busybox/bin/busybox')) },
    ...MODULES.map((path) => ({
      path: `modules/${path.split('/').at(-1)}`,
      mode: FILE,
      content: readFileSync(join(modules, path)),
    })),
    ...Object.entries(files).map(([path, content]) => ({ path, mode: FILE, content })),
    { path: 'obey', mode: FILE, content: text(OBEY) },
    { path: 'init', mode: PROGRAM, content: text(initScript(setUp)) },
  ]);
}

/** A cpio archive in the format "newc": per file a header of 110 ASCII characters, the name and the bytes. */
export function cpioArchive(files: readonly GuestFile[]): Buffer {
  const parts: Uint8Array[] = [];
  const trailer: GuestFile = { path: 'TRAILER!!!', mode: 0 };
  [...files, trailer].forEach(({ path, mode, content, device }, index) => {
    const name = Buffer.from(`${path}\0`);
    const size = content?.length ?? 0;
    const fields = [index + 1, mode, 0, 0, 1, 0, size, 0, 0, ...(device ?? [0, 0]), name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    parts.push(Buffer.from(header), name, padding(header.length + name.length));
    if (content !== undefined) parts.push(content, padding(size));
  });
  return Buffer.concat(parts);
}

function padding(length: number): Uint8Array {
  return new Uint8Array(-length & 3);
}
