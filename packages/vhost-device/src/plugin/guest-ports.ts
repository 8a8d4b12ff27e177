import { createBridge, type HandlerPort } from '@vhostlab/switch';

/** Bridge port of the first guest, as the back ends number them. */
const FIRST_GUEST_PORT = 10;

/** Names and numbers of the bridge's ports. */
export function guestPorts(guests: number): HandlerPort[] {
  return Array.from({ length: guests }, (_, guest) => ({
    name: `guest${guest}`,
    number: FIRST_GUEST_PORT + guest,
  }));
}

/** Null, or one sentence about the first flow that a bridge of `guests` guests cannot have. */
export function flowProblem(flows: readonly string[], guests: number): string | null {
  try {
    createBridge({ ports: guestPorts(guests), datapaths: [], flows });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
