import { fromBinary, vhostV1 } from '@vhostlab/contracts';
import type { MapEntry, MessageText } from '@vhostlab/trace';

/** Channels between VMM, vhost control and devices; all speak VhostRequest. */
const CHANNELS = /^(vhost|vdpa|vfio)\./;

type Request = vhostV1.VhostRequest['request'];

/** What a request between VMM and back end says; undefined on other channels and for bytes that are none. */
export function describeVhostRequest(channel: string, bytes: Uint8Array): MessageText | undefined {
  if (!CHANNELS.test(channel)) return undefined;
  try {
    return describe(fromBinary(vhostV1.VhostRequestSchema, bytes).request);
  } catch {
    return undefined;
  }
}

function describe(request: Request): MessageText | undefined {
  switch (request.case) {
    case 'setMemTable':
      return {
        details: request.value.regions.map(
          ({ guestPhysAddr, sizeBytes, userAddr, pageBytes }) =>
            `region GPA ${hex(guestPhysAddr)}, ${sizeBytes} bytes = HVA ${hex(userAddr)}, pages of ${pageBytes} bytes`,
        ),
        maps: request.value.regions.map(
          ({ guestPhysAddr, sizeBytes, userAddr }): MapEntry => ({
            what: 'guest memory, as the back end maps it',
            gpa: Number(guestPhysAddr),
            bytes: Number(sizeBytes),
            mapped: { kind: 'HVA', value: Number(userAddr) },
          }),
        ),
      };
    case 'dmaMap':
      return {
        details: [
          `IOVA ${hex(request.value.iova)}, ${request.value.sizeBytes} bytes = HVA ${hex(request.value.userAddr)}, pinned, pages of ${request.value.pageBytes} bytes`,
        ],
        maps: [
          {
            what: 'guest memory, as the IOMMU maps it',
            gpa: Number(request.value.iova),
            bytes: Number(request.value.sizeBytes),
            mapped: { kind: 'IOVA', value: Number(request.value.iova) },
          },
        ],
      };
    case 'setVring': {
      const { index, num, descriptorAddr, driverAddr, deviceAddr, base, kick, call } = request.value;
      const wants = [kick ? 'kicks by eventfd' : 'no kicks', call ? 'calls by irqfd' : 'no calls'];
      return {
        details: [
          `ring ${index}: ${num} entries from ${base}, descriptors ${hex(descriptorAddr)}, driver area ${hex(driverAddr)}, device area ${hex(deviceAddr)}, ${wants.join(', ')}`,
        ],
        maps: [],
      };
    }
    case 'setFeatures':
      return { details: [`bits ${hex(request.value.features?.bits ?? 0n)}`], maps: [] };
    case 'setStatus':
      return { details: [`status ${hex(BigInt(request.value.status))}`], maps: [] };
    default:
      return undefined;
  }
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
