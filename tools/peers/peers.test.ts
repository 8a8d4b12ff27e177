import {
  cpioArchive,
  netdevArguments,
  parsePortStats,
  testpmdArguments,
  virtioUserDevice,
} from '@vhostlab/lab/real-nodes';
import { expect, it } from 'vitest';
import { parsePortCounters } from './ovs-dpdk.ts';
import { parseForwardStats } from './testpmd.ts';

it('reads the counters that testpmd prints', () => {
  const text = `
  ######################## NIC statistics for port 0  ########################
  RX-packets: 11776      RX-missed: 3          RX-bytes:  17664000
  RX-errors: 2
  RX-nombuf:  1         
  TX-packets: 256        TX-errors: 4          TX-bytes:  16384
`;
  expect(parsePortStats(text)).toEqual({
    rxPackets: 11776,
    rxMissed: 3,
    rxBytes: 17664000,
    rxErrors: 2,
    rxNoMbuf: 1,
    txPackets: 256,
    txErrors: 4,
    txBytes: 16384,
  });
  expect(() => parsePortStats('Invalid port 7')).toThrow('dpdk-testpmd printed no RX-packets');
});

it('reads the account of forwarding, by port and without the sum over all', () => {
  const block = (title: string, rx: number, tx: number) => `
  ---------------------- ${title} ----------------------
  RX-packets: ${rx}         RX-dropped: 1             RX-total: ${rx + 1}
  TX-packets: ${tx}         TX-dropped: 2             TX-total: ${tx + 2}
`;
  const text = [
    block('Forward statistics for port 0 ', 5, 6),
    block('Forward statistics for port 1 ', 7, 8),
    block('Accumulated forward statistics for all ports', 12, 14),
  ].join('');
  expect(parseForwardStats(text)).toEqual([
    { rxPackets: 5, rxDropped: 1, txPackets: 6, txDropped: 2 },
    { rxPackets: 7, rxDropped: 1, txPackets: 8, txDropped: 2 },
  ]);
});

it('reads the counters of a port of Open vSwitch, unknown ones as 0', () => {
  const text = `OFPST_PORT reply (xid=0x2): 1 ports
  port  left: rx pkts=1234, bytes=78976, drop=0, errs=0, frame=?, over=?, crc=?
           tx pkts=3, bytes=210, drop=?, errs=?, coll=?
`;
  expect(parsePortCounters(text)).toEqual({
    rxPackets: 1234,
    rxBytes: 78976,
    rxDropped: 0,
    txPackets: 3,
    txBytes: 210,
    txDropped: 0,
  });
});

it('writes an archive of the format newc, every part on a boundary of four bytes', () => {
  const archive = cpioArchive([{ path: 'init', mode: 0o100755, content: Buffer.from('12345') }]);
  const text = archive.toString('latin1');
  expect(text.slice(0, 6)).toBe('070701');
  // c_mode and c_filesize stand at characters 14 and 54, the name at 110; 110 + 5 is filled up to 116.
  expect(text.slice(14, 22)).toBe('000081ed');
  expect(text.slice(54, 62)).toBe('00000005');
  expect(text.slice(110, 121)).toBe('init\0\0' + '12345');
  expect(text.indexOf('070701', 6)).toBe(124);
  expect(archive.length % 4).toBe(0);
});

it('states on the command line only what was asked for', () => {
  expect(virtioUserDevice({ socketPath: '/s' })).toBe(
    'net_virtio_user0,path=/s,mac=52:54:00:00:00:01,queues=1',
  );
  expect(
    virtioUserDevice({
      socketPath: '/s',
      packed: true,
      inOrder: false,
      mrgRxbuf: true,
      queues: 4,
    }),
  ).toBe('net_virtio_user0,path=/s,mac=52:54:00:00:00:01,queues=4,packed_vq=1,in_order=0,mrg_rxbuf=1');
  const pinned = testpmdArguments(['net_null0'], 64, true, { mode: 'io', cpus: '1', autoStart: false });
  expect(pinned).toContain('--lcores=0@1,1@1');
  expect(pinned).toContain('--in-memory');
  expect(pinned).not.toContain('--auto-start');
  expect(netdevArguments({ socketPath: '/s', server: true, queues: 2, device: { packed: 'on' } }, 1)).toEqual(
    [
      '-chardev',
      'socket,id=chr1,path=/s,server=on,wait=off',
      '-netdev',
      'vhost-user,id=net1,chardev=chr1,queues=2',
      '-device',
      'virtio-net-pci,netdev=net1,mac=52:54:00:12:34:01,mq=on,packed=on',
    ],
  );
});
