import type { InflightArea } from '@vhostlab/vhost-user';
import type { RingStart } from '../../control/commands.ts';
import { inflightQueueBytes } from '../../control/inflight-size.ts';

/** One queue's part of the region for buffers in flight (vhost-user, "Inflight I/O tracking"). */
export interface InflightPart {
  /** Arena offset, a multiple of 64. */
  readonly offset: number;
  /** False when a front end gave the region back and no ring of this queue has started since. */
  readonly fresh: boolean;
}

/** Bytes of the header that both layouts begin with. */
export const VERSION_BYTES = 8;
export const DESC_NUM_BYTES = 10;
/** The only version there is; 0 means that nobody has written the part yet. */
export const INFLIGHT_VERSION = 1;

/** The region of a device, as its rings start and start again. */
export class InflightParts {
  #area: InflightArea | null = null;
  readonly #started = new Set<number>();

  set(area: InflightArea | null): void {
    this.#area = area;
    this.#started.clear();
  }

  /** What a ring starts with; undefined: there is no region for it; a sentence: the region is not for such a ring. */
  partOf({ index, size, format }: RingStart): InflightPart | string | undefined {
    const area = this.#area;
    if (area === null || index >= area.queues) return undefined;
    if (size > area.queueSize) {
      return `ring ${index} has ${size} descriptors, its part of the inflight region is for ${area.queueSize}`;
    }
    if (inflightQueueBytes(size, format === 'packed') > area.bytesPerQueue) {
      return `ring ${index} is ${format}: its part of the inflight region was made for the other format`;
    }
    const fresh = area.fresh || this.#started.has(index);
    return { offset: area.arenaOffset + index * area.bytesPerQueue, fresh };
  }

  /** From now on the ring itself knows where it is. */
  started(index: number): void {
    this.#started.add(index);
  }
}
