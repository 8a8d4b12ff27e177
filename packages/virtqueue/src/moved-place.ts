import type { DriverPlace } from './driver-queue.ts';

/** Why a driver cannot move: descriptors written and not published would stay behind. */
export const NOT_PUBLISHED = 'a driver can move to other memory only when everything added is published';

/** The same areas `byBytes` further in the arena; guest addresses stay. Throws when `byBytes` is not whole pages. */
export function movedPlace(place: DriverPlace, byBytes: number): DriverPlace {
  if (byBytes % 4096 !== 0) throw new RangeError(`a queue moves by whole pages, not by ${byBytes} bytes`);
  const { descOffset, driverOffset, deviceOffset, tables } = place;
  return {
    ...place,
    descOffset: descOffset + byBytes,
    driverOffset: driverOffset + byBytes,
    deviceOffset: deviceOffset + byBytes,
    ...(tables === undefined ? {} : { tables: { ...tables, offset: tables.offset + byBytes } }),
  };
}
