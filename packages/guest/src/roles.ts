/** What guests do is part of the workload, because the layout of their memory depends on it. */
export { type GuestRole, roleOf, sendsFrames } from '@vhostlab/workload';
