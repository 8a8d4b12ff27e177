import { FeatureSet } from './feature-set.ts';
import { MsixTable } from './msix.ts';
import { type AckFault, checkAcknowledged } from './negotiation.ts';
import type { RegisterFaults, VirtioPciOptions } from './pci-callbacks.ts';
import { PciConfigSpace } from './pci-config.ts';
import {
  barLayout,
  COMMON_CONFIG,
  ISR_CONFIG,
  ISR_QUEUE,
  NO_VECTOR,
  PCI_CONFIG_BYTES,
  PCI_CONFIG_WINDOW,
  type PciBarLayout,
} from './pci-layout.ts';
import { PciQueue } from './pci-queue.ts';
import { StatusMachine } from './status.ts';

/**
 * A virtio-pci function (virtio 1.3, 4.1) as a byte-addressed register file: the BAR at offset 0, the PCI
 * configuration space at PCI_CONFIG_WINDOW. Nothing that a driver does throws.
 */
export class VirtioPciDevice {
  readonly layout: PciBarLayout;
  readonly config: PciConfigSpace;
  readonly msix: MsixTable;
  readonly queues: readonly PciQueue[];
  #offers: FeatureSet;
  readonly faults: RegisterFaults = {
    unknownOffset: 0,
    wrongWidth: 0,
    status: 0,
    lateFeatures: 0,
    queueState: 0,
    queueSize: 0,
    notify: 0,
  };
  /** Why the last FEATURES_OK was refused; empty when it was not. */
  ackFaults: readonly AckFault[] = [];
  readonly #options: VirtioPciOptions;
  readonly #status = new StatusMachine();
  #deviceSelect = 0;
  #driverSelect = 0;
  #ackLow = 0;
  #ackHigh = 0;
  /** The driver acknowledged a bit that no word of the offer can hold. */
  #ackBeyond = false;
  #configVector = NO_VECTOR;
  #queueSelect = 0;
  #isr = 0;
  #notifyWidth = 2;

  constructor(options: VirtioPciOptions) {
    if (options.queues < 1 || options.queues > 0xffff) {
      throw new RangeError(`a device with ${options.queues} queues: 1 to 65535 are possible`);
    }
    this.#options = options;
    this.#offers = options.offers;
    const vectors = options.vectors ?? Math.min(options.queues + 1, 256);
    const multiplier = options.notifyMultiplier ?? 4;
    this.layout = barLayout(options.queues, options.configBytes, vectors, multiplier);
    this.msix = new MsixTable(vectors, (vector) => options.onInterrupt?.(vector));
    this.config = new PciConfigSpace(this.layout, this.msix, this);
    this.queues = Array.from({ length: options.queues }, (_, i) => new PciQueue(i, options.maxQueueSize));
  }

  get offers(): FeatureSet {
    return this.#offers;
  }

  /**
   * Offers something else from now on: when what stands behind the device has changed and the driver resets it, in `onReset`. What a virtio reset leaves, the PCI function's own state, stays.
   */
  offer(offers: FeatureSet): void {
    this.#offers = offers;
  }

  /** device_status. */
  get status(): number {
    return this.#status.value;
  }

  /** Buffers may be used: DRIVER_OK without FAILED and DEVICE_NEEDS_RESET. */
  get live(): boolean {
    return this.#status.live;
  }

  /** What the driver acknowledged; meaningful from FEATURES_OK on. */
  get features(): FeatureSet {
    return new FeatureSet(this.#ackLow, this.#ackHigh);
  }

  /**
   * Little-endian value of `width` bytes (1, 2, 4, or 8, which is two accesses of 4) at `offset`. Where
   * nothing is, and with a width that does not fit the field, 0 and a count in `faults`.
   */
  readRegister(offset: number, width: number): number {
    if (width === 8) {
      return this.readRegister(offset, 4) + this.readRegister(offset + 4, 4) * 0x1_0000_0000;
    }
    if (width !== 1 && width !== 2 && width !== 4) {
      this.faults.wrongWidth++;
      return 0;
    }
    const { layout } = this;
    if (offset >= 0 && offset < COMMON_CONFIG.$size) return this.#readCommon(offset, width);
    if (offset >= layout.device && offset < layout.device + layout.deviceBytes) {
      return this.#options.config.read(offset - layout.device, width);
    }
    if (offset === layout.isr) return this.#readIsr();
    const tableOffset = offset - layout.msixTable;
    if (tableOffset >= 0 && tableOffset < layout.vectors * 16 && width === 4) {
      return this.msix.readTable(tableOffset);
    }
    const pendingOffset = offset - layout.msixPba;
    if (pendingOffset >= 0 && pendingOffset * 8 < layout.vectors && width === 4) {
      return this.msix.readPending(pendingOffset);
    }
    const configOffset = offset - PCI_CONFIG_WINDOW;
    if (configOffset >= 0 && configOffset < PCI_CONFIG_BYTES) return this.config.read(configOffset, width);
    this.faults.unknownOffset++;
    return 0;
  }

  /** Stores `value`; the same widths, and the same care, as `readRegister`. */
  writeRegister(offset: number, width: number, value: number): void {
    if (width === 8) {
      this.writeRegister(offset, 4, value >>> 0);
      this.writeRegister(offset + 4, 4, Math.floor(value / 0x1_0000_0000) >>> 0);
      return;
    }
    if (width !== 1 && width !== 2 && width !== 4) {
      this.faults.wrongWidth++;
      return;
    }
    const { layout } = this;
    const notifyOffset = offset - layout.notify;
    if (notifyOffset >= 0 && notifyOffset < layout.notifyBytes) {
      this.#notify(notifyOffset, width, value);
    } else if (offset >= 0 && offset < COMMON_CONFIG.$size) {
      this.#writeCommon(offset, width, truncate(value, width));
    } else if (offset >= layout.msixTable && offset < layout.msixTable + layout.vectors * 16) {
      if (width === 4 && (offset & 3) === 0) this.msix.writeTable(offset - layout.msixTable, value >>> 0);
      else this.faults.wrongWidth++;
    } else if (offset >= PCI_CONFIG_WINDOW && offset < PCI_CONFIG_WINDOW + PCI_CONFIG_BYTES) {
      this.config.write(offset - PCI_CONFIG_WINDOW, width, truncate(value, width));
    } else {
      this.faults.unknownOffset++;
    }
  }

  /** Used buffer notification of a queue: its MSI-X message, or the ISR bit and INTx while MSI-X is off. */
  raiseQueue(queue: number): void {
    this.#raise(this.queues[queue].vector, ISR_QUEUE);
  }

  /** Configuration change notification. */
  raiseConfig(): void {
    this.#raise(this.#configVector, ISR_CONFIG);
  }

  /** The device met an error that only a reset mends; tells a driver that is up. */
  needsReset(): void {
    if (this.#status.setNeedsReset()) this.raiseConfig();
  }

  /** Ends a queue reset that `onQueueReset` announced: queue_reset and queue_enable read 0. */
  finishQueueReset(queue: number): void {
    this.queues[queue].reset();
  }

  #raise(vector: number, isrBit: number): void {
    if (this.msix.enabled) {
      this.msix.raise(vector);
    } else {
      this.#isr |= isrBit;
      this.#options.onIntx?.(true);
    }
  }

  #readIsr(): number {
    const isr = this.#isr;
    this.#isr = 0;
    if (isr !== 0) this.#options.onIntx?.(false);
    return isr;
  }

  #notify(offset: number, width: number, value: number): void {
    const { notifyMultiplier } = this.layout;
    if (width !== this.#notifyWidth || (notifyMultiplier !== 0 && offset % notifyMultiplier !== 0)) {
      this.faults.wrongWidth++;
      return;
    }
    const data = truncate(value, width);
    const index = notifyMultiplier === 0 ? data & 0xffff : offset / notifyMultiplier;
    const queue = this.queues[index];
    if (queue === undefined || !queue.enabled || !this.#status.live) this.faults.notify++;
    else this.#options.onNotify?.(index, data);
  }

  #readCommon(offset: number, width: number): number {
    if (width !== commonWidth(offset)) {
      this.faults.wrongWidth++;
      return 0;
    }
    switch (offset) {
      case COMMON_CONFIG.device_feature_select:
        return this.#deviceSelect;
      case COMMON_CONFIG.device_feature:
        return this.offers.word(this.#deviceSelect);
      case COMMON_CONFIG.driver_feature_select:
        return this.#driverSelect;
      case COMMON_CONFIG.driver_feature:
        return this.features.word(this.#driverSelect);
      case COMMON_CONFIG.config_msix_vector:
        return this.#configVector;
      case COMMON_CONFIG.num_queues:
        return this.queues.length;
      case COMMON_CONFIG.device_status:
        return this.#status.value;
      case COMMON_CONFIG.config_generation:
        return this.#options.config.readGeneration();
      case COMMON_CONFIG.queue_select:
        return this.#queueSelect;
    }
    const queue = this.queues[this.#queueSelect];
    return queue === undefined ? 0 : readQueue(queue, offset);
  }

  #writeCommon(offset: number, width: number, value: number): void {
    if (width !== commonWidth(offset)) {
      this.faults.wrongWidth++;
      return;
    }
    switch (offset) {
      case COMMON_CONFIG.device_feature_select:
        this.#deviceSelect = value;
        break;
      case COMMON_CONFIG.driver_feature_select:
        this.#driverSelect = value;
        break;
      case COMMON_CONFIG.driver_feature:
        this.#acknowledge(value);
        break;
      case COMMON_CONFIG.config_msix_vector:
        this.#configVector = this.msix.assignable(value);
        break;
      case COMMON_CONFIG.device_status:
        this.#writeStatus(value);
        break;
      case COMMON_CONFIG.queue_select:
        this.#queueSelect = value;
        break;
      default:
        this.#writeQueue(offset, value);
    }
  }

  #acknowledge(value: number): void {
    if (this.#status.featuresOk) this.faults.lateFeatures++;
    else if (this.#driverSelect === 0) this.#ackLow = value;
    else if (this.#driverSelect === 1) this.#ackHigh = value;
    else this.#ackBeyond ||= value !== 0;
  }

  #writeStatus(value: number): void {
    const answer = this.#status.write(value, () => {
      this.ackFaults = checkAcknowledged(this.offers, this.features);
      return this.ackFaults.length === 0 && !this.#ackBeyond;
    });
    if (answer === 'reset') {
      this.#reset();
      this.#options.onReset?.();
      return;
    }
    if (answer !== 'accepted') this.faults.status++;
    this.#notifyWidth = this.features.has('NOTIFICATION_DATA') ? 4 : 2;
    this.#options.onStatus?.(this.#status.value, answer);
  }

  #writeQueue(offset: number, value: number): void {
    const queue = this.queues[this.#queueSelect];
    if (queue === undefined || queue.resetting) {
      this.faults.queueState++;
      return;
    }
    switch (offset) {
      case COMMON_CONFIG.queue_msix_vector:
        queue.vector = this.msix.assignable(value);
        break;
      case COMMON_CONFIG.queue_enable:
        this.#enableQueue(queue, value);
        break;
      case COMMON_CONFIG.queue_reset:
        this.#resetQueue(queue, value);
        break;
      case COMMON_CONFIG.queue_size:
        if (queue.enabled) this.faults.queueState++;
        else if (!this.#sizeAllowed(queue, value)) this.faults.queueSize++;
        else queue.size = value;
        break;
      default:
        if (offset < COMMON_CONFIG.queue_desc || offset >= COMMON_CONFIG.queue_notif_config_data) {
          this.faults.unknownOffset++;
        } else if (queue.enabled) {
          this.faults.queueState++;
        } else {
          queue.setAreaWord((offset - COMMON_CONFIG.queue_desc) >>> 2, value);
        }
    }
  }

  #sizeAllowed(queue: PciQueue, size: number): boolean {
    if (size < 1 || size > queue.maxSize) return false;
    return this.features.has('RING_PACKED') || (size & (size - 1)) === 0;
  }

  #enableQueue(queue: PciQueue, value: number): void {
    if (value !== 1 || queue.enabled || !this.#status.featuresOk) {
      this.faults.queueState++;
    } else if (!this.#sizeAllowed(queue, queue.size)) {
      this.faults.queueSize++;
    } else {
      queue.enabled = true;
      this.#options.onQueueEnable?.(queue);
    }
  }

  #resetQueue(queue: PciQueue, value: number): void {
    if (value !== 1 || !queue.enabled || !this.features.has('RING_RESET')) {
      this.faults.queueState++;
      return;
    }
    queue.resetting = true;
    if (this.#options.onQueueReset === undefined) queue.reset();
    else this.#options.onQueueReset(queue);
  }

  #reset(): void {
    this.#deviceSelect = 0;
    this.#driverSelect = 0;
    this.#ackLow = 0;
    this.#ackHigh = 0;
    this.#ackBeyond = false;
    this.ackFaults = [];
    this.#configVector = NO_VECTOR;
    this.#queueSelect = 0;
    this.#isr = 0;
    this.#notifyWidth = 2;
    for (const queue of this.queues) queue.reset();
  }
}

function readQueue(queue: PciQueue, offset: number): number {
  switch (offset) {
    case COMMON_CONFIG.queue_size:
      return queue.size;
    case COMMON_CONFIG.queue_msix_vector:
      return queue.vector;
    case COMMON_CONFIG.queue_enable:
      return queue.enabled ? 1 : 0;
    case COMMON_CONFIG.queue_notify_off:
    case COMMON_CONFIG.queue_notif_config_data:
      return queue.index;
    case COMMON_CONFIG.queue_reset:
      return queue.resetting ? 1 : 0;
    case COMMON_CONFIG.admin_queue_index:
    case COMMON_CONFIG.admin_queue_num:
      return 0;
    default:
      return queue.areaWord((offset - COMMON_CONFIG.queue_desc) >>> 2);
  }
}

/** Width with which the field at `offset` is accessed (64-bit fields as halves); 0 when none starts there. */
function commonWidth(offset: number): number {
  if (offset < COMMON_CONFIG.config_msix_vector) return offset % 4 === 0 ? 4 : 0;
  if (offset === COMMON_CONFIG.device_status || offset === COMMON_CONFIG.config_generation) return 1;
  if (offset >= COMMON_CONFIG.queue_desc && offset < COMMON_CONFIG.queue_notif_config_data) {
    return offset % 4 === 0 ? 4 : 0;
  }
  return offset % 2 === 0 ? 2 : 0;
}

function truncate(value: number, width: number): number {
  return width === 4 ? value >>> 0 : width === 2 ? value & 0xffff : value & 0xff;
}
