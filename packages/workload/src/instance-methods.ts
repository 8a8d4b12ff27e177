/**
 * Requests that a change of the back end needs besides those of vhost, by method number. On `steer.<guest>` from the VMM to
 * the NIC: the port is paused (IEEE 802.3x) and answers when what it had is with the drivers; what the present instance's
 * queues were given to send has left; the port goes on and everything goes to instance `body[0]`.
 */
export const STEER_HOLD = 1;
export const STEER_FLUSH = 2;
export const STEER_TO = 3;

/** On `vhost.<guest>.<pair>`, beside method 1: answered when nothing that came in before is under way on the host. */
export const METHOD_QUIESCE = 2;

/** On `route.<guest>.<pair>` from the VMM to a vCPU: its queue pair's rings are with the device of instance `body[0]`. */
export const ROUTE_TO = 1;
/** Back to the VMM, one-way: the queue pair was set up anew and has receive buffers. */
export const ROUTE_OPENED = 2;
