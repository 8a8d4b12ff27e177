import { polledCore } from '@vhostlab/backend-sdk';
import { DatapathHost } from '@vhostlab/datapath';
import type { CoreModule } from '@vhostlab/engine';

/** Core module `vhost-user/pmd`: the user-space datapath between the ports of a polled core. */
export const pmdModule: CoreModule = polledCore(
  (context, pool, output) => new DatapathHost(context, 'switch', pool, output, { kind: 'userspace' }),
);
