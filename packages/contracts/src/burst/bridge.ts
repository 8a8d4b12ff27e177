import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { BridgeAnswer, BridgeData, BridgeOrder } from './bridge-messages.ts';
import { type BurstChannel, type BurstInstanceInit, PluginFault } from './burst-channel.ts';

/** How long a plugin may take for one call: enough for a busy machine, and an end for one that hangs. */
const TIMEOUT_MS = 10_000;
/** Several calls are one order to the thread: it gives up first, because it knows which of them it waits for. */
const SPARE_MS = 30_000;

let instances = 0;

/**
 * Makes an instance at a burst plugin and exchanges bursts with it, one at a time: the caller's thread stands still until
 * the plugin has answered, as virtual time does. The connection lives on a thread of its own.
 */
export class BurstBridge implements BurstChannel {
  readonly id: string;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #answers = new Int32Array(new SharedArrayBuffer(4));
  readonly #address: string;
  readonly #timeoutMs: number;
  #asked = 0;
  #isOpen = true;

  /** Connects and makes the instance. Throws PluginFault when the plugin refuses or does not answer. */
  constructor(address: string, init: BurstInstanceInit, timeoutMs = TIMEOUT_MS) {
    const { port1, port2 } = new MessageChannel();
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    this.#port = port1;
    const workerData: BridgeData = { port: port2, answers: this.#answers, address, timeoutMs };
    this.#worker = new Worker(new URL('./bridge-thread.ts', import.meta.url), {
      workerData,
      transferList: [port2],
    });
    this.#worker.unref();
    port1.unref();
    this.id = `i${process.pid}-${++instances}`;
    this.#ask({ call: 'open', id: this.id, init });
  }

  exchange(request: Uint8Array): Uint8Array {
    return this.#ask({ call: 'Exchange', bytes: request });
  }

  statistics(): Uint8Array {
    return this.#ask({ call: 'GetStatistics' });
  }

  close(): void {
    if (!this.#isOpen) return;
    try {
      this.#ask({ call: 'close' });
    } finally {
      this.#end();
    }
  }

  #ask(order: BridgeOrder): Uint8Array {
    if (!this.#isOpen) throw this.#fault(order.call, 'the connection is closed');
    const before = this.#asked++;
    const limitMs = order.call === 'Exchange' ? this.#timeoutMs : this.#timeoutMs + SPARE_MS;
    this.#port.postMessage(order);
    while (Atomics.load(this.#answers, 0) === before) {
      if (Atomics.wait(this.#answers, 0, before, limitMs) === 'timed-out') {
        this.#end();
        throw this.#fault(order.call, `no answer within ${this.#timeoutMs / 1000} s`);
      }
    }
    const answer = receiveMessageOnPort(this.#port)?.message as BridgeAnswer;
    if ('bytes' in answer) return answer.bytes;
    this.#end();
    throw this.#fault(answer.call, answer.reason);
  }

  #fault(call: string, reason: string): PluginFault {
    return new PluginFault(`The burst plugin at ${this.#address} failed in ${call}: ${reason}`);
  }

  #end(): void {
    this.#isOpen = false;
    this.#port.close();
    void this.#worker.terminate();
  }
}
