import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FeatureSet,
  hasOffload,
  headerBytes,
  minimumReceiveBytes,
  NO_OFFLOAD,
  readHashReport,
  readHashValue,
  readHeader,
  readNumBuffers,
  writeHash,
  writeHeader,
  writeNumBuffers,
} from '../src/index.ts';

const TCP4_GSO = { flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1448, csumStart: 34, csumOffset: 16 };

describe('header size', () => {
  it('follows the negotiated features', () => {
    expect(headerBytes(FeatureSet.EMPTY)).toBe(10);
    expect(headerBytes(FeatureSet.of('MRG_RXBUF'))).toBe(12);
    expect(headerBytes(FeatureSet.of('VERSION_1'))).toBe(12);
    expect(headerBytes(FeatureSet.of('VERSION_1', 'HASH_REPORT'))).toBe(20);
  });

  it('gives the smallest receive buffers of virtio 1.3, 5.1.6.3.1', () => {
    const tso = FeatureSet.of('VERSION_1', 'GUEST_CSUM', 'GUEST_TSO4');
    expect(minimumReceiveBytes(FeatureSet.of('VERSION_1'))).toBe(1526);
    expect(minimumReceiveBytes(FeatureSet.of('VERSION_1', 'HASH_REPORT'))).toBe(1534);
    expect(minimumReceiveBytes(tso)).toBe(65_601);
    expect(minimumReceiveBytes(tso.with('HASH_REPORT'))).toBe(65_609);
    expect(minimumReceiveBytes(tso.with('MRG_RXBUF'))).toBe(12);
  });
});

describe('header bytes', () => {
  it('are those of struct virtio_net_hdr', () => {
    const memory = new Uint8Array(32).fill(0xee);
    writeHeader(memory, 1, 12, TCP4_GSO, 3);
    expect(Buffer.from(memory.subarray(0, 14)).toString('hex')).toBe('ee01013600a805220010000300ee');
    writeHeader(memory, 1, 20, TCP4_GSO, 1);
    writeHash(memory, 1, 0x89abcdef, 2);
    expect(Buffer.from(memory.subarray(11, 22)).toString('hex')).toBe('0100efcdab8902000000ee');
    expect([readHashValue(memory, 1), readHashReport(memory, 1)]).toEqual([0x89abcdef, 2]);
  });

  it('show at once whether they ask for anything', () => {
    const memory = new Uint8Array(12);
    expect(hasOffload(memory, 0)).toBe(false);
    writeHeader(memory, 0, 12, { ...NO_OFFLOAD, flags: 1 }, 0);
    expect(hasOffload(memory, 0)).toBe(true);
    writeHeader(memory, 0, 12, { ...NO_OFFLOAD, gsoType: 1 }, 0);
    expect(hasOffload(memory, 0)).toBe(true);
  });

  it('end after 10 bytes for legacy drivers', () => {
    const memory = new Uint8Array(16).fill(0xee);
    writeHeader(memory, 0, 10, NO_OFFLOAD, 7);
    expect([...memory]).toEqual([...Array(10).fill(0), ...Array(6).fill(0xee)]);
  });

  it('are read as they were written, at any alignment', () => {
    const u16 = fc.nat(0xffff);
    const fields = fc.record({
      flags: fc.nat(0xff),
      gsoType: fc.nat(0xff),
      hdrLen: u16,
      gsoSize: u16,
      csumStart: u16,
      csumOffset: u16,
    });
    fc.assert(
      fc.property(fields, u16, fc.nat(7), (written, buffers, at) => {
        const memory = new Uint8Array(32);
        writeHeader(memory, at, 12, written, 0);
        writeNumBuffers(memory, at, buffers);
        const read = { ...NO_OFFLOAD };
        readHeader(memory, at, read);
        expect(read).toEqual(written);
        expect(readNumBuffers(memory, at)).toBe(buffers);
      }),
    );
  });
});
