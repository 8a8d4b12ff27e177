/**
 * True when moving an index from `oldIndex` to `newIndex` passed the entry `event` (virtio 1.3, 2.7.7 and 2.7.10;
 * all modulo 2^16).
 */
export function needEvent(event: number, newIndex: number, oldIndex: number): boolean {
  return ((newIndex - event - 1) & 0xffff) < ((newIndex - oldIndex) & 0xffff);
}

/**
 * The 32-bit word of an available buffer notification with VIRTIO_F_NOTIFICATION_DATA (virtio 1.3, 2.9): queue
 * (or the value the device chose for it), then 15 bits of next offset and the wrap bit. On a split ring `offset`
 * is the low 15 bits of the available index and `wrap` its bit 15.
 */
export function notificationData(queue: number, offset: number, wrap: number): number {
  return ((queue & 0xffff) | ((((offset & 0x7fff) | ((wrap & 1) << 15)) & 0xffff) << 16)) >>> 0;
}
