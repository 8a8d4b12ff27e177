import { describeSigns } from './support/signs.ts';

/** Each change on one back end in software and one of full offload, in turns; sign-table.ci.test.ts has all four. */
describeSigns({
  packets: { saturated: 3000, spaced: 300, transactions: 60 },
  longPackets: 2000,
  backendsOf: (change) => (change % 2 === 0 ? ['vhost-net', 'vfio'] : ['vhost-user', 'vdpa']),
});
