import { resize, signalEvent } from '@vhostlab/host';
import { CLAUSE, clauseOf } from '@vhostlab/vhost-user';
import { LOW_BYTES } from '../../bench/guest-memory.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed, outcome, passed } from '../../report/verdict.ts';
import { refused } from '../../wire/reaction.ts';
import { check } from './define.ts';

const COMES_BACK =
  'A back end closes the connection or stops the rings: whatever of it ends, it serves again by itself.';

/** Memory that is not there when it is used (item 12): a careless mapping ends in SIGBUS. */
export const MEMORY_FAULTS: readonly BackEndCheck[] = [
  check(
    {
      id: 'mem.truncated-file',
      title: 'the file of the guest memory is cut off while rings run',
      item: 12,
      clause: CLAUSE.regions,
      basis: 'robustness',
      requirement: COMES_BACK,
      mayClose: true,
      needs: ['traffic'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const [file] = rig.memory.fds;
      const { kick } = rig.tx().events;
      rig.change(() => rig.tx().offer([rig.frame()]));
      // a touch on this side would end this process
      rig.memory.unmap();
      resize(file, 0);
      signalEvent(kick.number);
      const closed = await rig.link.wire.untilClosed(bench.limits.pauseMs * 4);
      return closed ? outcome('disconnected', 'closes') : passed('stays');
    },
  ),
  check(
    {
      id: 'mem.beyond-file-used',
      title: 'a ring in the part of a region that its file does not have',
      item: 12,
      clause: clauseOf('SET_MEM_TABLE'),
      basis: 'robustness',
      requirement:
        'A back end refuses the region or the ring, or whatever of it ends, it serves again by itself.',
      mayClose: true,
    },
    async (bench) => {
      const link = await bench.link();
      const base = 0x7f00_0010_0000n;
      const region = {
        guestPhysAddr: 0x100000n,
        memorySize: BigInt(16 * LOW_BYTES),
        userspaceAddr: base,
        mmapOffset: 0n,
      };
      const table = { kind: 'mem-table', regions: [region] } as const;
      const taken = await link.react({
        request: 'SET_MEM_TABLE',
        payload: table,
        fds: [bench.file(LOW_BYTES)],
      });
      const isTaken = taken.reply === 0n && taken.after === 'stays';
      if (!isTaken) return refused(taken);
      for (const index of [0, 1]) {
        const at = base + BigInt((8 + index) * LOW_BYTES);
        const addr = {
          kind: 'addr',
          index,
          flags: 0,
          desc: at,
          avail: at + 0x1000n,
          used: at + 0x2000n,
          logGuestAddr: 0n,
        } as const;
        const kick = bench.event(1);
        await link.send({ request: 'SET_VRING_NUM', payload: { kind: 'state', index, num: 64 } });
        await link.send({ request: 'SET_VRING_ADDR', payload: addr });
        await link.send({
          request: 'SET_VRING_KICK',
          payload: { kind: 'vring-fd', index, noFd: false, reserved: 0n },
          fds: [kick],
        });
        await link.send({ request: 'SET_VRING_ENABLE', payload: { kind: 'state', index, num: 1 } });
      }
      const closed = await link.wire.untilClosed(bench.limits.pauseMs * 4);
      return closed ? outcome('disconnected', 'reply 0, then closes') : failed('reply 0, stays');
    },
  ),
];
