import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { drainEvent } from './event-fd.ts';
import type { ThreadCommand, ThreadData, ThreadReply } from './thread.ts';

/** A thread's own end of its `Thread`. */
export interface ThreadInbox {
  /** What the thread was started with. */
  readonly data: unknown;
  /**
   * Descriptor that is readable when commands wait; belongs to the other side. Who waits for it reads it (`drainEvent`)
   * when it is ready, whatever `serve` finds then: a command may be served before its signal comes.
   */
  readonly wakeNumber: number;
  /**
   * Runs `handle` for each command that waits, in order, and sends back what it returns; one that throws answers its
   * message. One atomic load when there is none.
   */
  serve(handle: (body: unknown) => unknown): void;
  /** Tells the other side something that it did not ask for. */
  note(note: unknown): void;
}

/** The inbox of the worker thread that calls this. Throws elsewhere. */
export function threadInbox(): ThreadInbox {
  const port = parentPort;
  if (port === null) throw new Error('threadInbox is for worker threads');
  const { data, pending, wakeNumber } = workerData as ThreadData;
  let served = 0;
  const post = (reply: ThreadReply): void => port.postMessage(reply);
  return {
    data,
    wakeNumber,
    note: (note) => post({ id: 0, note }),
    serve(handle) {
      if (Atomics.load(pending, 0) === served) return;
      drainEvent(wakeNumber);
      for (;;) {
        const received = receiveMessageOnPort(port);
        if (received === undefined) return;
        served = (served + 1) | 0;
        const { id, body } = received.message as ThreadCommand;
        try {
          post({ id, result: handle(body) });
        } catch (error) {
          post({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
        }
      }
    },
  };
}
