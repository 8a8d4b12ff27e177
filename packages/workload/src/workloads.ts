/** A workload by the name it has on the command line. */
export interface Workload {
  name: WorkloadName;
  description: string;
}

export type WorkloadName = 'tx' | 'rx' | 'pvp' | 'v2v' | 'rr' | 'stream';

const WORKLOADS: readonly Workload[] = [
  { name: 'tx', description: 'the guest sends to the station on the wire' },
  { name: 'rx', description: 'the station on the wire sends to the guest' },
  {
    name: 'pvp',
    description: 'the station sends, the guest forwards, the station receives (PHY-VM-PHY, RFC 8204)',
  },
  { name: 'v2v', description: 'one guest sends to another through the switch of the host' },
  { name: 'rr', description: 'request and response between station and guest, one in flight: latency' },
  { name: 'stream', description: 'the guest sends bulk TCP data in full segments or GSO frames' },
];

/** All workloads, in the order of listings. */
export function listWorkloads(): readonly Workload[] {
  return WORKLOADS;
}
