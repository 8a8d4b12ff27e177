import { type Qemu, startQemu, type VhostUserNetdev } from './qemu.ts';

/** QEMU with iPXE: a real virtio-net driver that needs no guest system. */
export interface QemuIpxeOptions extends VhostUserNetdev {
  readonly memoryMiB?: number;
  /** More of QEMU's options. */
  readonly extra?: readonly string[];
}

/**
 * Starts QEMU whose firmware boots from the network: about two seconds later iPXE drives the device and sends DHCP
 * discoveries and IPv6 router solicitations, and when nobody answers, the machine boots again. In client mode something must listen on the socket.
 */
export function qemuIpxe(options: QemuIpxeOptions): Promise<Qemu> {
  return startQemu({
    name: 'qemu-ipxe',
    memoryMiB: options.memoryMiB ?? 64,
    netdevs: [options],
    args: ['-boot', 'order=n,reboot-timeout=100', '-serial', 'stdio', ...(options.extra ?? [])],
  });
}
