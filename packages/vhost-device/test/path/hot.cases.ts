import { UsedBatch } from '@vhostlab/virtqueue';
import { HIGH, KINDS, LOW, PathRig } from './path-rig.ts';

const BURST = 32;

type Case = (call: number) => unknown;

function addSent(rig: PathRig): void {
  for (let i = 0; i < BURST; i++) rig.tx.addOne(LOW + 2048 * i, 12 + 60 + i, false, i);
  rig.tx.publish();
}

function addRoom(rig: PathRig): void {
  for (let i = 0; i < BURST; i++) rig.rx.addOne(HIGH + 2048 * i, 2048, true, i);
  rig.rx.publish();
}

function cases(name: string, options: (typeof KINDS)[number][1]): [string, () => Case][] {
  const used = new UsedBatch(64);
  return [
    [
      `dequeue, ${name}`,
      () => {
        const rig = new PathRig(options);
        return () => {
          addSent(rig);
          rig.transmit.dequeue(rig.batch, 64);
          rig.tx.popUsed(used, 64);
        };
      },
    ],
    [
      `enqueue, ${name}`,
      () => {
        const rig = new PathRig(options);
        rig.batch.length.fill(60);
        return () => {
          addRoom(rig);
          rig.batch.count = BURST;
          rig.receive.enqueue(rig.batch);
          rig.rx.popUsed(used, 64);
        };
      },
    ],
    [
      `one copy, ${name}`,
      () => {
        const rig = new PathRig({ ...options, features: [...options.features, 'CSUM', 'GUEST_CSUM'] });
        const forward = rig.oneCopy(true);
        return () => {
          addSent(rig);
          addRoom(rig);
          forward.turn(64);
          rig.tx.popUsed(used, 64);
          rig.rx.popUsed(used, 64);
        };
      },
    ],
  ];
}

const [SPLIT, , , PACKED_IN_ORDER] = KINDS;

/** Bursts that must not allocate; one copy has both rings in it. */
export const hotCases = Object.fromEntries([
  ...cases(...SPLIT),
  ...cases(...PACKED_IN_ORDER).filter(([name]) => name.startsWith('one copy')),
]);
