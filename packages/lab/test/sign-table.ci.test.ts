import { BACKENDS } from '@vhostlab/workload';
import { describeSigns } from './support/signs.ts';

describeSigns({
  packets: { saturated: 20_000, spaced: 800, transactions: 200 },
  longPackets: 3000,
  backendsOf: () => BACKENDS,
});
