/** What a walk knows about its run. */
export interface WalkRun {
  backend: string;
  /** Seen from the guest. */
  direction: 'tx' | 'rx';
  packed: boolean;
}

/**
 * Address spaces: guest physical, host virtual, I/O virtual; `buffer` is a place in the host's packet buffers,
 * whose virtual addresses belong to no machine in virtual time.
 */
export type AddressKind = 'GPA' | 'HVA' | 'IOVA' | 'buffer';

/** One stage for people. */
export interface StageText {
  /** What happens, in plain words. */
  words: string;
  /** What the event's address is; undefined: it is none. */
  address?: AddressKind;
  /** Clause of the specification; undefined where none speaks of it. */
  clause?: string;
}

type Text = string | ((run: WalkRun) => string);

interface StageEntry {
  words: Text;
  address?: AddressKind | ((run: WalkRun) => AddressKind | undefined);
  /** Clauses of virtio 1.3: split rings, packed rings; one for both when there is one. */
  clause?:
    | [split: string, packed?: string]
    | ((run: WalkRun) => [split: string, packed?: string] | undefined);
}

const isTx = ({ direction }: WalkRun): boolean => direction === 'tx';
const isOffloaded = ({ backend }: WalkRun): boolean => backend === 'vfio' || backend === 'vdpa';
const isKernel = ({ backend }: WalkRun): boolean => backend === 'vhost-net';
const offloadedClause =
  (...clause: [string, string?]) =>
  (run: WalkRun): [string, string?] | undefined =>
    isOffloaded(run) ? clause : undefined;

/** Every stage of the design that leaves events, in the order of a packet's way. */
const STAGES: Readonly<Record<string, StageEntry>> = {
  'guest.app': { words: 'the application works on the packet', address: 'GPA' },
  'guest.skb_alloc': {
    words: (run) =>
      isTx(run)
        ? 'the guest puts headers and data into an skb, a virtio_net_hdr in front of it'
        : 'the guest makes an skb around the received buffer',
    address: 'GPA',
    clause: (run) => (isTx(run) ? ['5.1.6.2'] : undefined),
  },
  'guest.vring_add': {
    words: 'the driver describes the buffer in a descriptor, makes it available and publishes that',
    address: 'GPA',
    clause: ['2.7.13', '2.8.21'],
  },
  'guest.kick': {
    words: (run) =>
      isOffloaded(run)
        ? 'the device wants to be notified: the driver writes its doorbell, a posted write to the NIC'
        : 'the device wants to be notified: the driver writes the queue number to the notification register',
    address: 'GPA',
    clause: ['4.1.5.2'],
  },
  'kvm.exit': {
    words: 'the register is not memory: the write makes the vCPU leave the guest, KVM takes over',
  },
  'kvm.ioeventfd': {
    words: 'KVM knows the register: it signals the eventfd behind it and resumes the guest',
  },
  'vdpa.relay': { words: 'the doorbell is not mapped: the host writes it to the NIC for the guest' },
  'vdpa.shadow': { words: 'the VMM relays the buffer between the guest’s ring and its own shadow of it' },
  'migration.send': { words: 'the VMM sends pages of guest memory to another host' },
  'vdpa.irqfd': { words: 'the NIC’s interrupt becomes a signal on the guest’s irqfd' },
  'vhost.wakeup': { words: 'the worker thread of vhost wakes up' },
  'vhost.fetch': {
    words: (run) =>
      isTx(run)
        ? 'the back end sees the new index, reads the descriptor and translates its address'
        : 'the back end takes an available receive buffer of the guest and translates its address',
    address: 'GPA',
    clause: ['2.7.6', '2.8.2'],
  },
  'vhost.copy': {
    words: (run) => {
      const host = isKernel(run) ? 'an skb of the kernel' : 'a buffer of the switch';
      return isTx(run)
        ? `the back end copies the frame from guest memory into ${host}`
        : `the back end copies the frame from ${host} behind a virtio_net_hdr in the guest’s buffer`;
    },
    address: 'GPA',
    clause: (run) => (isTx(run) ? ['5.1.6.2'] : ['5.1.6.4']),
  },
  'tap.xmit': {
    words: 'vhost sends the skb into the tap device, the kernel takes it as received',
    address: 'buffer',
  },
  'tap.enqueue': { words: 'the kernel appends the skb to the queue of the tap device' },
  'softirq.poll': {
    words: 'the host’s softirq polls the NIC (NAPI), takes the frame off its ring and makes an skb',
    address: 'buffer',
  },
  'switch.parse': { words: 'the datapath reads the headers and makes the flow key', address: 'buffer' },
  'switch.lookup': {
    words: 'the datapath looks the key up: caches first, then one hash per mask',
    address: 'buffer',
  },
  'switch.upcall': {
    words: 'no flow matches: the packet goes up to the switch, which installs one',
    address: 'buffer',
  },
  'switch.actions': { words: 'the actions of the flow run: output to a port', address: 'buffer' },
  'switch.offload_insert': { words: 'the switch puts the flow into the NIC' },
  'representor.rx': { words: 'no flow in the NIC matches: the frame comes up through a representor' },
  'nic.doorbell': {
    words: 'the host’s NIC driver fills a transmit descriptor and writes the NIC’s tail register',
    address: 'IOVA',
  },
  'nic.desc_read': {
    words: (run) =>
      isOffloaded(run)
        ? 'the NIC reads the guest’s ring by DMA: index and descriptor'
        : 'the NIC reads the transmit descriptor by DMA',
    address: 'IOVA',
    clause: offloadedClause('2.7.6', '2.8.2'),
  },
  'nic.dma_read': { words: 'the NIC reads the frame by DMA, through the IOMMU', address: 'IOVA' },
  'nic.dma_write': { words: 'the NIC writes the frame by DMA, through the IOMMU', address: 'IOVA' },
  'nic.used_write': {
    words: (run) =>
      isOffloaded(run)
        ? 'the NIC writes the used entry by DMA and publishes it'
        : 'the NIC writes the descriptor back by DMA: the frame is there',
    clause: offloadedClause('2.7.8', '2.8.22'),
  },
  'nic.interrupt': {
    words: (run) =>
      isOffloaded(run)
        ? 'the guest asked for it: the NIC sends an MSI-X message, which reaches the guest’s vCPU'
        : 'the NIC sends an MSI-X message to the host',
    clause: offloadedClause('4.1.5.3'),
  },
  'nic.eswitch': { words: 'the switch inside the NIC finds the flow and the port that the frame goes to' },
  'vhost.used': {
    words: 'the back end writes the used entry and publishes it: the buffer is the driver’s again',
    clause: ['2.7.8', '2.8.22'],
  },
  'vhost.call': {
    words: 'the guest asked to be told: the back end signals the call eventfd, which is KVM’s irqfd',
    clause: ['2.7.7', '2.8.14'],
  },
  'kvm.inject': { words: 'KVM gives the interrupt to the vCPU', clause: ['4.1.5.3'] },
  'guest.napi_poll': {
    words: 'the driver polls the ring (NAPI) and takes the used entry',
    address: 'GPA',
    clause: ['2.7.14', '2.8.22'],
  },
  'guest.skb_deliver': {
    words: 'the driver hands the skb to the network stack and later refills the ring',
    address: 'GPA',
    clause: ['5.1.6.4'],
  },
  'guest.tx_reclaim': {
    words: 'the driver finds the used entry and frees the buffer',
    address: 'GPA',
    clause: ['2.7.14', '2.8.22'],
  },
  'wire.tx': { words: 'the last bit of the frame is on the wire' },
  'wire.rx': { words: 'the last bit of the frame has arrived from the wire' },
};

/** Text of a stage for one run; a stage that the table lacks is named as it is. */
export function stageText(stage: string, run: WalkRun): StageText {
  const entry = STAGES[stage];
  if (entry === undefined) return { words: stage };
  const words = typeof entry.words === 'string' ? entry.words : entry.words(run);
  const address = typeof entry.address === 'function' ? entry.address(run) : entry.address;
  const clauses = typeof entry.clause === 'function' ? entry.clause(run) : entry.clause;
  const clause = clauses === undefined ? undefined : run.packed ? (clauses[1] ?? clauses[0]) : clauses[0];
  return {
    words,
    ...(address === undefined ? {} : { address }),
    ...(clause === undefined ? {} : { clause: `virtio 1.3, ${clause}` }),
  };
}

/** Stages that the table knows. */
export const KNOWN_STAGES: readonly string[] = Object.keys(STAGES);
