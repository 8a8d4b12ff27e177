import { z } from 'zod';
import { compareOptionsSchema } from '../scenario/options.ts';

/** What a node can be on the real clock only. */
export const REAL_ONLY_KINDS = ['qemu', 'testpmd', 'ovs'] as const;
/** What a node can be on the real clock. A back end is there on both clocks: here it is ours, between real sockets. */
export const REAL_KINDS = ['qemu', 'testpmd', 'ovs', 'backend'] as const;
export type RealKind = (typeof REAL_KINDS)[number];

const option = compareOptionsSchema.shape;

/** What testpmd does with packets; the names are DPDK's. */
export const FORWARD_MODES = [
  'txonly',
  'rxonly',
  'io',
  'mac',
  'macswap',
  'csum',
  'flowgen',
  '5tswap',
] as const;

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const CIDR = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/;

const oneOrMore = (pattern: RegExp, what: string, example: string) => {
  const one = z.string().regex(pattern, {
    error: ({ input }) => `"${input}" is no ${what}; write it as ${example}`,
  });
  return z.union([one, z.array(one).min(1).max(8)], {
    error: `must be a ${what} such as ${example}, or one for each device`,
  });
};

const path = z.string().min(1);
const cpuList = z
  .array(z.int().min(0).max(4095))
  .min(1)
  .max(64)
  .meta({ description: 'CPUs of this machine that it may run on.' });
const memory = z.int().min(16).max(1_048_576).meta({ description: 'Memory in MiB.' });

/** Settings that nodes of the real clock can have; those of one kind are in `REAL_SETTINGS`. */
export const realSettings = {
  image: z
    .enum(['linux'], { error: 'must be linux, the image that vhostlab makes; or give kernel, initrd, disk' })
    .optional()
    .meta({ description: 'qemu: linux, a kernel with busybox that takes commands (the default).' }),
  kernel: path.optional().meta({ description: 'qemu: kernel to boot, in place of the image.' }),
  initrd: path.optional().meta({ description: 'qemu: its initial file system.' }),
  append: z.string().optional().meta({ description: 'qemu: command line of the kernel.' }),
  disk: path.optional().meta({ description: 'qemu: disk to boot, in place of the image; never written to.' }),
  marker: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'qemu: text on the first serial port that says that the guest is there.' }),
  memoryMiB: memory.optional(),
  vcpus: z.int().min(1).max(64).optional().meta({ description: 'qemu: virtual CPUs.' }),
  accel: z
    .enum(['tcg', 'kvm'], { error: 'must be tcg (emulation) or kvm' })
    .optional()
    .meta({ description: 'qemu: emulation, or the processor itself.' }),
  cpus: cpuList.optional(),
  hugepages: z.boolean().optional().meta({ description: 'Memory on huge pages (ovs: always).' }),
  mergeable: z.boolean().optional().meta({ description: 'Whether MRG_RXBUF may be negotiated.' }),
  mac: oneOrMore(MAC, 'MAC address', '52:54:00:00:00:01')
    .optional()
    .meta({ description: 'MAC address of the device, or one for each.' }),
  address: oneOrMore(CIDR, 'address', '10.0.0.1/24')
    .optional()
    .meta({ description: 'qemu: IPv4 address of the device in the guest, or one for each.' }),
  run: z.array(z.string().min(1).max(4000)).max(100).optional().meta({
    description: 'qemu: shell commands that the guest runs once everything is ready: the runs of the lab.',
  }),
  device: z
    .enum(['virtio-user', 'net_vhost'], {
      error: 'must be virtio-user (a front end) or net_vhost (a back end)',
    })
    .optional()
    .meta({ description: 'testpmd: front end or back end.' }),
  forward: z.enum(FORWARD_MODES).optional().meta({ description: 'testpmd: forwarding mode.' }),
  frameBytes: z
    .int()
    .min(60)
    .max(1514)
    .optional()
    .meta({ description: 'testpmd: bytes of a frame that txonly and flowgen send, without FCS.' }),
  frames: z.int().min(1).max(1e12).optional().meta({
    description: 'testpmd: its run is complete when this many frames have been received (txonly: sent).',
  }),
  bridge: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,14}$/, { error: 'must be a name such as br0' })
    .optional()
    .meta({ description: 'ovs: name of the bridge.' }),
  ports: z
    .enum(['dpdkvhostuserclient', 'dpdkvhostuser'], {
      error: 'must be dpdkvhostuserclient (connects) or dpdkvhostuser (listens)',
    })
    .optional()
    .meta({ description: 'ovs: type of its ports.' }),
  maxSleepUs: z.int().min(0).max(10_000).optional().meta({
    description: 'ovs: how long its polling thread may sleep when idle, in µs; 0: it always polls.',
  }),
  mode: z
    .enum(['poll', 'interrupt', 'adaptive'])
    .optional()
    .meta({ description: 'backend: how it waits for work.' }),
  port: z.string().optional().meta({
    description:
      'backend: what is behind the rings, as --port of vhostlab vhost-user backend; switch joins the guests.',
  }),
  plugin: path.optional().meta({ description: 'backend: folder or address of a plugin of your own.' }),
  options: z
    .record(z.string().regex(/^\w+$/), z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .meta({ description: 'backend: options of the plugin by name.' }),
  listen: z.string().optional().meta({ description: 'backend: HOST:PORT where it serves its statistics.' }),
} as const;

const shared = {
  queues: option.queues,
  ring: option.ring,
  mac: realSettings.mac,
  hugepages: z.boolean().default(false),
};

/** Every kind's settings with their defaults; what a node is made of after inheritance. */
export const REAL_SETTINGS = {
  qemu: z.strictObject({
    ...shared,
    image: realSettings.image,
    kernel: realSettings.kernel,
    initrd: realSettings.initrd,
    append: realSettings.append,
    disk: realSettings.disk,
    marker: realSettings.marker,
    memoryMiB: memory.default(128),
    vcpus: z.int().default(1),
    accel: z.enum(['tcg', 'kvm']).default('tcg'),
    cpus: cpuList.optional(),
    mergeable: z.boolean().default(true),
    address: realSettings.address,
    run: z.array(z.string()).default([]),
  }),
  testpmd: z.strictObject({
    ...shared,
    device: z.enum(['virtio-user', 'net_vhost']).default('virtio-user'),
    forward: z.enum(FORWARD_MODES).default('io'),
    frameBytes: realSettings.frameBytes,
    frames: realSettings.frames,
    memoryMiB: memory.default(128),
    cpus: cpuList.optional(),
    mergeable: z.boolean().default(true),
  }),
  ovs: z.strictObject({
    queues: option.queues,
    bridge: z.string().default('br0'),
    ports: z.enum(['dpdkvhostuserclient', 'dpdkvhostuser']).default('dpdkvhostuserclient'),
    flows: option.flowTable,
    memoryMiB: memory.default(160),
    cpus: cpuList.optional(),
    maxSleepUs: z.int().default(100),
  }),
  backend: z.strictObject({
    queues: option.queues,
    mode: z.enum(['poll', 'interrupt', 'adaptive']).default('interrupt'),
    port: z.string().default('switch'),
    plugin: realSettings.plugin,
    options: realSettings.options,
    flows: option.flowTable,
    cpus: cpuList.optional(),
    listen: realSettings.listen,
  }),
} as const;

export type QemuSettings = z.infer<typeof REAL_SETTINGS.qemu>;
export type TestpmdSettings = z.infer<typeof REAL_SETTINGS.testpmd>;
export type OvsSettings = z.infer<typeof REAL_SETTINGS.ovs>;
export type BackendSettings = z.infer<typeof REAL_SETTINGS.backend>;

/** A node of the real clock with all of its settings. */
export type RealNode = { readonly name: string } & (
  | { readonly kind: 'qemu'; readonly settings: QemuSettings }
  | { readonly kind: 'testpmd'; readonly settings: TestpmdSettings }
  | { readonly kind: 'ovs'; readonly settings: OvsSettings }
  | { readonly kind: 'backend'; readonly settings: BackendSettings }
);

/** Names of the settings of a kind. */
export function settingNames(kind: RealKind): string[] {
  return Object.keys(REAL_SETTINGS[kind].shape);
}
