import {
  EBUSY,
  EINVAL,
  EOPNOTSUPP,
  EPERM,
  type VhostReply,
  type VhostReplyInit,
  type VhostRequestCase,
} from '@vhostlab/backend-sdk';
import { STATUS_DRIVER_OK, STATUS_FEATURES_OK, statusNames } from '@vhostlab/virtio-net';

type SetVring = Extract<VhostRequestCase, { case: 'setVring' }>['value'];

const DONE: VhostReplyInit = {};

/**
 * What the kernel's vhost-vdpa looks at before the parent device sees a request, and what it remembers of those that
 * succeeded (drivers/vhost/vdpa.c). Pure: answers without a side effect but its own memory.
 */
export class DeviceRules {
  #owned = false;
  #status = 0;
  #suspended = false;
  readonly #vrings = new Map<number, SetVring>();

  /** Virtio status as the VMM last set it. */
  get status(): number {
    return this.#status;
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  /** The answer of a request that does not reach the device: a refusal, or a success without effect. */
  answerOf(request: VhostRequestCase): VhostReplyInit | undefined {
    switch (request.case) {
      case 'setOwner':
        return this.#owned ? refuse(EBUSY, 'the device has an owner already') : undefined;
      case 'setFeatures':
        return (this.#status & STATUS_FEATURES_OK) !== 0
          ? refuse(EBUSY, 'features cannot change after FEATURES_OK; reset the device first')
          : undefined;
      case 'setStatus':
        return this.#checkStatus(request.value.status);
      case 'setVring':
        return this.#checkVring(request.value);
      case 'dmaMap':
        return this.#checkMemory() ?? checkAlignment(request.value);
      case 'dmaUnmap':
      case 'iotlbUpdate':
      case 'iotlbInvalidate':
        return this.#checkMemory();
      case 'suspend':
      case 'resume':
        return this.#live ? undefined : DONE;
      case 'setLog':
        return refuse(
          EOPNOTSUPP,
          'the device writes by DMA and keeps no dirty log; migrate with suspend and a shadow virtqueue',
        );
      case 'iotlbMiss':
        return refuse(EINVAL, 'IotlbMiss is sent by a back end, not to one');
      case undefined:
        return refuse(EINVAL, 'the request is empty');
      default:
        return undefined;
    }
  }

  /** The device has answered: remembers what a success means. */
  completed(request: VhostRequestCase, reply: VhostReply): void {
    if (reply.error !== 0) return;
    switch (request.case) {
      case 'setOwner':
        this.#owned = true;
        break;
      case 'setStatus':
        this.#status = request.value.status;
        if (this.#status === 0) this.#reset();
        break;
      case 'resetDevice':
        this.#status = 0;
        this.#reset();
        break;
      case 'setVring':
        this.#vrings.set(request.value.index, request.value);
        break;
      case 'suspend':
        this.#suspended = true;
        break;
      case 'resume':
        this.#suspended = false;
        break;
    }
  }

  get #live(): boolean {
    return (this.#status & STATUS_DRIVER_OK) !== 0;
  }

  #reset(): void {
    this.#suspended = false;
    this.#vrings.clear();
  }

  #checkStatus(status: number): VhostReplyInit | undefined {
    const removed = this.#status & ~status;
    if (status === 0 || removed === 0) return undefined;
    return refuse(
      EINVAL,
      `status bits are only added (${statusNames(removed)} is missing); write 0 to reset`,
    );
  }

  /** After DRIVER_OK a ring may be turned on and off; where it is may change only while the device is suspended. */
  #checkVring(ring: SetVring): VhostReplyInit | undefined {
    if (!this.#live || this.#suspended) return undefined;
    const before = this.#vrings.get(ring.index);
    const same =
      before !== undefined &&
      before.num === ring.num &&
      before.descriptorAddr === ring.descriptorAddr &&
      before.driverAddr === ring.driverAddr &&
      before.deviceAddr === ring.deviceAddr;
    if (same) return undefined;
    return refuse(EINVAL, `ring ${ring.index} can be moved before DRIVER_OK or after Suspend only`);
  }

  #checkMemory(): VhostReplyInit | undefined {
    return this.#owned ? undefined : refuse(EPERM, 'only the owner of the device maps memory; send SetOwner');
  }
}

function checkAlignment(
  map: Extract<VhostRequestCase, { case: 'dmaMap' }>['value'],
): VhostReplyInit | undefined {
  const { iova, sizeBytes, pageBytes } = map;
  if (sizeBytes === 0n) return refuse(EINVAL, `the mapping at 0x${iova.toString(16)} has no bytes`);
  if (pageBytes === 0n || (iova % pageBytes === 0n && sizeBytes % pageBytes === 0n)) return undefined;
  return refuse(
    EINVAL,
    `the mapping at 0x${iova.toString(16)} is not made of whole pages of ${pageBytes} bytes`,
  );
}

function refuse(error: number, reason: string): VhostReplyInit {
  return { error, reason };
}
