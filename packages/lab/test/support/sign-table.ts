import type { CompareOptionsInput, Result } from '../../src/index.ts';

/** The runs that figures are taken from: at a rate that none carries, at one that all carry, and one by one. */
export type RunName = 'saturated' | 'spaced' | 'transactions';

export const FIGURES = {
  throughput: { run: 'saturated', of: (row) => row.throughput_mpps },
  host_cores: { run: 'spaced', of: (row) => row.host_cores },
  latency: { run: 'transactions', of: (row) => row.latency_us.p50 },
  kicks: { run: 'transactions', of: (row) => row.per_packet.kicks },
  calls: { run: 'transactions', of: (row) => row.per_packet.calls },
  exits: { run: 'transactions', of: (row) => row.per_packet.exits },
  copies: { run: 'transactions', of: (row) => row.per_packet.copies },
  copied_bytes: { run: 'transactions', of: (row) => row.per_packet.copied_bytes },
  dma_bytes: { run: 'transactions', of: (row) => row.per_packet.dma_bytes },
} satisfies Record<string, { run: RunName; of(row: Result): number }>;

export type Figure = keyof typeof FIGURES;

/** A change of one option, and the figures that it moves. */
export interface Change {
  name: string;
  from: CompareOptionsInput;
  to: CompareOptionsInput;
  /** Runs that are long, because what is fetched ahead before the traffic starts would show in a short one. */
  long?: RunName;
  /** Signs in the order of BACKENDS (vhost-net, vhost-user, vfio, vdpa) and why; a figure that is not here stays. */
  moves: Partial<Record<Figure, [signs: string, why: string]>>;
}

export const CHANGES: readonly Change[] = [
  {
    name: '--pages 2M to 4K',
    from: { pages: '2M' },
    to: { pages: '4K' },
    moves: {
      throughput: [
        '- - - -',
        'ring and buffers of a busy guest are more 4K pages than a first-level TLB has entries: every core that touches them pays, and the NIC walks, because 64 IOTLB entries reach 256 KB',
      ],
      latency: [
        '0 0 + +',
        'a few TLB misses of tens of ns vanish in tens of us; an IOTLB miss is 280 ns in the middle of a DMA',
      ],
    },
  },
  {
    name: '--execution rtc to pipeline',
    from: { execution: 'rtc' },
    to: { execution: 'pipeline' },
    moves: {
      throughput: ['0 + 0 0', 'vhost and datapath share the work: the slower stage is shorter than the sum'],
      host_cores: ['0 + 0 0', 'two polling cores instead of one'],
      latency: ['0 + 0 0', 'each direction crosses a ring between cores: a line transfer and a poll more'],
    },
  },
  {
    name: '--guest poll to interrupt',
    from: { guest: 'poll' },
    to: { guest: 'interrupt' },
    moves: {
      throughput: [
        '- - - -',
        'a kernel guest allocates and delivers skbs; it becomes the slowest part, or costs the vhost worker calls',
      ],
      host_cores: [
        '+ 0 0 0',
        'the worker signals an irqfd per packet; a PMD polls either way, the NIC is no core',
      ],
      latency: ['+ + + +', 'injection, waking a halted vCPU and NAPI, before the guest sees the request'],
      calls: ['+ + + +', 'a polling guest suppresses them (EVENT_IDX or NO_INTERRUPT), a waiting one asks'],
      exits: ['+ + + +', 'the vCPU halts between transactions, and HLT exits'],
      dma_bytes: [
        '0 0 + +',
        'an MSI-X message is a DMA write; the NIC of a host driver sends the same as before',
      ],
    },
  },
  {
    name: '--queues 1 to 4, 1 flow',
    from: { queues: 1 },
    to: { queues: 4 },
    moves: {
      host_cores: [
        '0 + 0 0',
        'one flow keeps to one queue pair, where all stays as it was; PMDs of the idle pairs poll, workers sleep',
      ],
    },
  },
  {
    name: '--queues 1 to 4, 64 flows',
    from: { queues: 1, flows: 64 },
    to: { queues: 4, flows: 64 },
    long: 'transactions',
    moves: {
      throughput: ['+ + + +', 'RSS spreads the flows over four vCPUs and four host cores'],
      host_cores: ['0 + 0 0', 'the same work per packet, on four workers in turn; but four PMDs poll'],
    },
  },
  {
    name: '--ring split to packed',
    from: { ring: 'split' },
    to: { ring: 'packed' },
    moves: {
      throughput: [
        '0 + + +',
        'a descriptor is its own avail and used entry: fewer lines per packet, on both sides',
      ],
      latency: [
        '0 - - -',
        'a lone packet finds its descriptor in one line, by one DMA read of the NIC; split rings keep index, entry and descriptor apart',
      ],
      dma_bytes: [
        '0 0 + +',
        'no index tells how many descriptors there are: the NIC reads lines of four to find one, and writes back 16 bytes instead of 8',
      ],
    },
  },
  {
    name: '--size 64 to 1518',
    from: { size: '64' },
    to: { size: '1518' },
    moves: {
      throughput: ['- - - -', 'the wire carries 2.03 Mpps of these; vhost-net copies them twice below that'],
      host_cores: ['+ 0 0 0', 'bytes cost the worker time in its copies; a PMD is busy anyway'],
      latency: ['+ + + +', 'serialisation on wire and PCIe, and copies'],
      copied_bytes: ['+ + 0 0', 'both directions are copied, whole; full offload copies nothing'],
      dma_bytes: ['+ + + +', 'payload crosses PCIe in every back end'],
    },
  },
];
