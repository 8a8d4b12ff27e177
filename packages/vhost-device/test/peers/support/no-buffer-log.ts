import { GuestMemory } from '../../../src/rings/guest-memory.ts';

/** Loaded into a back end, this makes it forget to log what it writes into receive buffers. */
GuestMemory.prototype.logWritten = () => {};
