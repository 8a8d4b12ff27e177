import { CaptureError } from './capture-error.ts';
import type { CaptureReader } from './capture-reader.ts';
import { PcapReader } from './pcap-reader.ts';
import { PcapngReader } from './pcapng-reader.ts';

/**
 * Opens the bytes of a pcap (microseconds or nanoseconds, either byte order) or pcapng file. Frames come one
 * after the other without copying. Throws a `CaptureError` when the file has no valid header.
 */
export function readCapture(bytes: Uint8Array): CaptureReader {
  if (bytes.length === 0) throw new CaptureError('the file is empty', 0);
  if (bytes.length < 4) throw new CaptureError(`not a capture file: only ${bytes.length} bytes`, 0);
  const magic = ((bytes[0] << 24) | (bytes[1] << 16) | (bytes[2] << 8) | bytes[3]) >>> 0;
  switch (magic) {
    case 0xa1b2c3d4:
      return new PcapReader(bytes, false, 6);
    case 0xd4c3b2a1:
      return new PcapReader(bytes, true, 6);
    case 0xa1b23c4d:
      return new PcapReader(bytes, false, 9);
    case 0x4d3cb2a1:
      return new PcapReader(bytes, true, 9);
    case 0x0a0d0d0a:
      return new PcapngReader(bytes);
    case 0xa1b2cd34:
    case 0x34cdb2a1:
      throw new CaptureError('this is a "modified" pcap file; save it as pcap or pcapng', 0);
  }
  const compressed = magic >>> 16 === 0x1f8b || magic === 0x28b52ffd || magic === 0x04224d18;
  if (compressed) throw new CaptureError('the file is compressed: unpack it first', 0);
  const hex = magic.toString(16).padStart(8, '0');
  throw new CaptureError(`not a pcap or pcapng file: it begins with 0x${hex}`, 0);
}
