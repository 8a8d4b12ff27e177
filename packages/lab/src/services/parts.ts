import type { Role } from '@vhostlab/contracts';

/** The four services, in the order in which they are created. */
export const ROLES: readonly Role[] = ['guest', 'backend', 'switch', 'nic'];

/** The far end of the wire: cores that the nic service plans, and that may run in a process of their own. */
export const STATION = 'station';

/** What can stand in a process of its own: the four services, and the station. */
export type Part = Role | typeof STATION;

/** All parts; the station comes last, where it lives with the nic there is no such part. */
export const PARTS: readonly Part[] = [...ROLES, STATION];

/** True of the services, which have a life cycle; the station has a runtime alone. */
export function isRole(part: Part): part is Role {
  return part !== STATION;
}
