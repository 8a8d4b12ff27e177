import type { MessagePort } from 'node:worker_threads';
import type { BurstInstanceInit } from './burst-channel.ts';

/** What the thread of a bridge is started with. */
export interface BridgeData {
  readonly port: MessagePort;
  /** Word 0 rises by one with every answer. */
  readonly answers: Int32Array;
  readonly address: string;
  readonly timeoutMs: number;
}

/** What the owner of a bridge asks its thread for. */
export type BridgeOrder =
  | { readonly call: 'open'; readonly id: string; readonly init: BurstInstanceInit }
  | { readonly call: 'Exchange'; readonly bytes: Uint8Array }
  | { readonly call: 'GetStatistics' }
  | { readonly call: 'close' };

/** What it answers: bytes, or which call failed and how. */
export type BridgeAnswer =
  | { readonly bytes: Uint8Array }
  | { readonly call: string; readonly reason: string };
