import {
  listWorkloads,
  MAX_FRAME_SIZE_BYTES,
  MIN_FRAME_SIZE_BYTES,
  parseFrameSizes,
} from '@vhostlab/workload';
import { z } from 'zod';
import { compareOptionsSchema } from '../scenario/options.ts';
import { part } from './part.ts';
import { placementSchema, stallTimeoutSchema, topologyShape } from './topology-schema.ts';

const option = compareOptionsSchema.shape;

const size = z
  .union([z.int().min(MIN_FRAME_SIZE_BYTES).max(MAX_FRAME_SIZE_BYTES), z.string()], {
    error: `must be a number of bytes from ${MIN_FRAME_SIZE_BYTES} to ${MAX_FRAME_SIZE_BYTES}, the name of a mix such as imix, or an RFC 6985 genome`,
  })
  .superRefine((value, context) => {
    try {
      parseFrameSizes(String(value));
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

const guests = part({
  queues: option.queues.meta({
    description: 'Queue pairs; each brings one vCPU and one vhost worker or polling core.',
  }),
  ring: option.ring.meta({ description: 'Format of the virtqueues.' }),
  ringSize: option.ringSize.meta({ description: 'Entries per virtqueue; a power of two for split.' }),
  pages: option.pages.meta({ description: 'Page size of guest memory, its host mapping and the IOMMU.' }),
  without: option.without.meta({
    description:
      'Features that the device does not offer, as a shadow virtqueue needs it: IN_ORDER, INDIRECT_DESC, EVENT_IDX.',
  }),
});

const traffic = part({
  size: size.default(option.size.parse(undefined)).meta({
    description: 'Frame size in bytes with the FCS, a mix (imix) or an RFC 6985 genome.',
  }),
  rate: option.rate.meta({
    description: 'line, 50%, 10Mpps, 2.5Gbps or unpaced; without it as the workload has it.',
  }),
  flows: option.flows.meta({ description: 'Flows that take turns; 0: each packet opens a new one.' }),
  packets: option.packets.meta({
    description: 'Packets of each workload (rr: transactions); without it as many as the workload has.',
  }),
  pcap: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Capture to replay; a relative path starts at the folder of the lab file.' }),
});

const system = part({
  workloads: option.workloads.meta({
    description: `Workloads, one after the other: ${listWorkloads()
      .map(({ name, description }) => `${name} (${description})`)
      .join('; ')}.`,
  }),
  guests: guests
    .prefault({})
    .meta({ description: 'How every guest is made. A workload brings one guest, v2v two.' }),
  traffic: traffic.prefault({}).meta({ description: 'What is sent. The workload says by whom.' }),
  switch: part({
    flows: option.flowTable.meta({
      description:
        'Flows of the bridge as for ovs-ofctl add-flow. Port 1 is the wire, 10 + g is guest g. Without them the two ports of the workload forward to each other.',
    }),
  })
    .prefault({})
    .meta({ description: 'The bridge.' }),
  nic: part({
    pcie: option.pcie.meta({ description: 'PCI Express generation and lanes.' }),
    rateGbps: option.rateGbps.meta({ description: 'Speed of the wire in Gbit/s.' }),
    vdpaLacks: option.vdpaLacks.meta({
      description: 'What its vDPA device cannot do: suspend (VHOST_BACKEND_F_SUSPEND).',
    }),
  })
    .prefault({})
    .meta({ description: 'The network card.' }),
  ...topologyShape,
});

const roles = part({
  backends: option.backends.meta({ description: 'Back ends to run, in the order of the table.' }),
  execution: option.execution.meta({
    description: 'vhost-user: run to completion on one core per queue pair, or vhost and switch on two.',
  }),
  guest: option.guest.meta({
    description: 'Whether guests poll or take interrupts; without it as the workload has it.',
  }),
  vhostUserOffloads: option.vhostUserOffloads.meta({
    description: 'Whether vhost-user offers checksum and TCP segmentation; the others always do.',
  }),
  profile: option.profile.meta({ description: 'Cost profile: the machine whose costs are charged.' }),
});

const time = part({
  clock: z
    .enum(['virtual', 'real'], { error: 'must be virtual (models) or real (QEMU, DPDK, Open vSwitch)' })
    .default('virtual')
    .meta({
      description:
        'virtual: a deterministic run that charges what each step costs; real: QEMU, testpmd, Open vSwitch and our back end.',
    }),
  seed: option.seed.meta({ description: 'Seed of everything random in the run.' }),
  stallTimeout: stallTimeoutSchema,
});

/** A lab file, version 1: the system, who plays which role, and where each part runs are kept apart. */
export const labFileSchema = part({
  schema: z
    .literal(1, {
      error: ({ input }) =>
        `${input === undefined ? 'is missing; it ' : ''}must be 1, the version of lab files that this vhostlab reads`,
    })
    .meta({ description: 'Version of this format.' }),
  name: z.string().min(1).max(100).meta({ description: 'What the lab is called in messages.' }),
  vars: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.union([z.string(), z.number(), z.boolean()]), {
      error: 'must be a mapping of names to plain values',
    })
    .optional()
    .meta({ description: 'Variables: values name them as ${name}; --var name=value changes them.' }),
  system: system
    .prefault({})
    .meta({ description: 'What there is: guests, traffic, bridge, network card. Says nothing of how.' }),
  roles: roles.prefault({}).meta({ description: 'Who plays each part, and how.' }),
  placement: placementSchema,
  time: time.prefault({}).meta({ description: 'The clock and the seed.' }),
  events: option.events.meta({
    description: 'What happens to the runs at moments of their virtual time; every run has all of them.',
  }),
  observation: part({
    samples: option.samples.meta({
      description: 'Packets per workload and back end whose events are kept, evenly spread; 0: none.',
    }),
  })
    .prefault({})
    .meta({ description: 'What is recorded; never changes a result.' }),
});

/** A lab file with its defaults filled in. */
export type LabFile = z.infer<typeof labFileSchema>;
