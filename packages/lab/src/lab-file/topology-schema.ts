import { z } from 'zod';
import { compareOptionsSchema } from '../scenario/options.ts';
import { duration } from './duration.ts';
import { hostSchema } from './hosts.ts';
import { linkSettingsShape } from './link-settings.ts';
import { part } from './part.ts';
import { REAL_ONLY_KINDS, type RealKind, realSettings, settingNames } from './real-schema.ts';

const option = compareOptionsSchema.shape;

/** What a node can be, in the order in which the services of a lab are made. */
export const NODE_KINDS = ['guest', 'backend', 'switch', 'nic'] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

/** Where a service can run. */
export const PLACEMENTS = ['embedded', 'process', 'container'] as const;
export type PlacementName = (typeof PLACEMENTS)[number];

const guestSettings = {
  queues: option.queues
    .unwrap()
    .optional()
    .meta({ description: 'Queue pairs; each brings one vCPU and one vhost worker or polling core.' }),
  ring: option.ring.unwrap().optional().meta({ description: 'Format of the virtqueues.' }),
  ringSize: option.ringSize
    .unwrap()
    .optional()
    .meta({ description: 'Entries per virtqueue; a power of two for split.' }),
  pages: option.pages
    .unwrap()
    .optional()
    .meta({ description: 'Page size of guest memory, its host mapping and the IOMMU.' }),
};
const switchSettings = {
  flows: option.flowTable.meta({ description: 'Flows of the bridge as for ovs-ofctl add-flow.' }),
};
const nicSettings = {
  pcie: option.pcie.unwrap().optional().meta({ description: 'PCI Express generation and lanes.' }),
  rateGbps: option.rateGbps.unwrap().optional().meta({ description: 'Speed of the wire in Gbit/s.' }),
};

/** Settings of each kind of node. */
export const SETTINGS: Readonly<Record<NodeKind, readonly string[]>> = {
  guest: Object.keys(guestSettings),
  backend: [],
  switch: Object.keys(switchSettings),
  nic: Object.keys(nicSettings),
};

const anySettings = { ...guestSettings, ...switchSettings, ...nicSettings, ...realSettings };

const nodeName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, {
  error: ({ input }) =>
    `"${input}" is no name of a node: it begins with a letter and has at most 32 of a-z, 0-9 and -`,
});

const node = part({
  kind: z.enum([...NODE_KINDS, ...REAL_ONLY_KINDS]).meta({
    description:
      'What the node is. Virtual clock: guest, backend, switch, nic; real: qemu, testpmd, ovs, backend.',
  }),
  group: z.string().optional().meta({ description: 'Group whose settings it takes.' }),
  ...anySettings,
}).meta({ description: 'A node. Settings: node before group before kind before defaults.' });

const endpoints = z.tuple([z.string(), z.string()], {
  error: 'must be two ends, as in [guest0:vq, host0:vq]',
});

const link = z
  .union(
    [
      endpoints,
      part({
        endpoints,
        latency: duration
          .optional()
          .meta({ description: 'One way; of the wire only, others have that of the cost profile.' }),
        ...linkSettingsShape,
      }),
    ],
    { error: 'must be two ends, as in [guest0:vq, backend0:vq]' },
  )
  .meta({ description: 'Two ends NODE:PORT, brief or with settings.' });

/** Settings of every node of a kind of the real clock. */
function realPart(kind: RealKind): z.ZodType<Record<string, unknown>> {
  const own = settingNames(kind);
  const shape = Object.fromEntries(Object.entries(anySettings).filter(([name]) => own.includes(name)));
  return part(shape as z.ZodRawShape);
}

/** Keys of `system` that name nodes and links. */
export const topologyShape = {
  defaults: part(anySettings).optional().meta({ description: 'Settings of every node that has them.' }),
  kinds: part({
    guest: part(guestSettings).optional(),
    switch: part(switchSettings).optional(),
    nic: part(nicSettings).optional(),
    qemu: realPart('qemu').optional(),
    testpmd: realPart('testpmd').optional(),
    ovs: realPart('ovs').optional(),
    backend: realPart('backend').optional(),
  })
    .optional()
    .meta({ description: 'Settings of every node of a kind.' }),
  groups: z
    .record(nodeName, part(anySettings))
    .optional()
    .meta({ description: 'Settings of the nodes that name the group.' }),
  nodes: z
    .record(nodeName, node)
    .optional()
    .meta({ description: 'Guests, back end, switch and network card by name; without it the usual ones.' }),
  hosts: z.record(nodeName, hostSchema).optional().meta({
    description: 'Further hosts, to which guests can migrate. All of them share one multi-host network card.',
  }),
  links: z
    .array(link)
    .optional()
    .meta({ description: 'What is joined; without it everything that belongs together.' }),
};

const ENDPOINT =
  'must be embedded, process, container or {endpoint: HOST:PORT}, the address of a service that runs already';

const nodePlacement = z.union(
  [
    z.enum(PLACEMENTS),
    part({
      endpoint: z.string().min(1).meta({ description: 'HOST:PORT or unix:/path of a running service.' }),
    }),
  ],
  { error: ENDPOINT },
);

/** `placement` of a lab file. */
export const placementSchema = z
  .union(
    [
      z.enum(PLACEMENTS),
      part({
        default: z
          .enum(PLACEMENTS)
          .optional()
          .meta({ description: 'Where nodes run that are not named below.' }),
        nodes: z.record(z.string(), nodePlacement).optional().meta({ description: 'Where each node runs.' }),
      }),
    ],
    {
      error: ({ input }) =>
        typeof input === 'object' && input !== null
          ? undefined
          : `must be embedded, process or container, or name nodes, not ${JSON.stringify(input)}`,
    },
  )
  .default('embedded')
  .meta({
    description:
      'Where the services run: embedded, all in one process; process, each in its own; container, each in its own; or node by node.',
  });

/** `time.stallTimeout`: how long a service may be silent. */
export const stallTimeoutSchema = duration.default('60s').meta({
  description: 'How long a stopped service may hold virtual time before vhostlab lab gives the run up.',
});
