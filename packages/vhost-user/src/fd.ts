export type { Fd } from '@vhostlab/host';
