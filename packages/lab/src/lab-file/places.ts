import type { CompareOptions } from '../scenario/options.ts';

/** Where each option of `compare` stands in a lab file; both directions go by this table. */
export const PLACES: Readonly<Record<keyof CompareOptions, readonly string[]>> = {
  workloads: ['system', 'workloads'],
  queues: ['system', 'guests', 'queues'],
  ring: ['system', 'guests', 'ring'],
  ringSize: ['system', 'guests', 'ringSize'],
  pages: ['system', 'guests', 'pages'],
  size: ['system', 'traffic', 'size'],
  rate: ['system', 'traffic', 'rate'],
  flows: ['system', 'traffic', 'flows'],
  packets: ['system', 'traffic', 'packets'],
  without: ['system', 'guests', 'without'],
  vdpaLacks: ['system', 'nic', 'vdpaLacks'],
  flowTable: ['system', 'switch', 'flows'],
  pcie: ['system', 'nic', 'pcie'],
  rateGbps: ['system', 'nic', 'rateGbps'],
  backends: ['roles', 'backends'],
  execution: ['roles', 'execution'],
  guest: ['roles', 'guest'],
  vhostUserOffloads: ['roles', 'vhostUserOffloads'],
  profile: ['roles', 'profile'],
  placement: ['placement'],
  seed: ['time', 'seed'],
  samples: ['observation', 'samples'],
  events: ['events'],
};

/** Where the capture's path stands; it is no option, because the run is given its bytes. */
export const PCAP_PLACE: readonly string[] = ['system', 'traffic', 'pcap'];
