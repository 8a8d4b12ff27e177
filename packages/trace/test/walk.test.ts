import { OPS } from '@vhostlab/engine';
import { describe, expect, it } from 'vitest';
import { KNOWN_STAGES, readLog, renderWalk, stageText, walkPacket, walkSetup } from '../src/index.ts';
import { type Entry, merged, partOf, type Run } from './support.ts';

const le = (value: number, bytes: number): string =>
  Array.from({ length: bytes }, (_, i) =>
    (Math.floor(value / 256 ** i) % 256).toString(16).padStart(2, '0'),
  ).join('');

const desc = (address: number, length: number, flags = 0): string =>
  le(address, 8) + le(length, 4) + le(flags, 2) + le(0, 2);

function write(timePs: number, register: number, width: number, value: number): Entry {
  return {
    timePs,
    stage: 'tap.write',
    text: `pci.0 ${value.toString(16)}`,
    address: register,
    length: width,
  };
}

function bytes(timePs: number, offset: number, hex: string): Entry {
  return { timePs, stage: 'tap.bytes', text: `vq.0.0 ${hex}`, address: offset, length: hex.length / 2 };
}

function word(timePs: number, offset: number, value: number): Entry {
  return { timePs, stage: 'tap.word16', text: 'vq.0.0', address: offset, length: value };
}

/** Registers of the transmit queue: 4 entries, split rings at 0x5000, 0x6000 and 0x6100. */
function enableTransmitQueue(packed: boolean): Entry[] {
  return [
    write(10, 0x08, 4, 1),
    write(11, 0x0c, 4, packed ? 5 : 1),
    write(12, 0x16, 2, 1),
    write(13, 0x18, 2, 4),
    write(14, 0x20, 4, 0x5000),
    write(15, 0x28, 4, 0x6000),
    write(16, 0x30, 4, 0x6100),
    write(17, 0x1a, 2, 2),
    write(18, 0x1c, 2, 1),
  ];
}

const setUp: Run = {
  core: 'guest0.vcpu0',
  task: 'guest.init',
  startPs: 10,
  endPs: 20,
  entries: enableTransmitQueue(false),
};

/** Two packets in one burst; the second is sampled too. A call without a packet ends the burst. */
const RUNS: Run[] = [
  setUp,
  {
    core: 'guest0.vcpu0',
    task: 'guest.source',
    startPs: 1000,
    endPs: 1500,
    entries: [
      { timePs: 1200, stage: 'guest.skb_alloc', packet: 0, address: 0x8e00, length: 60 },
      { timePs: 1300, stage: 'guest.vring_add', packet: 0, address: 0x8e00, length: 60 },
      bytes(1300, 0x5000, desc(0x8df4, 72) + desc(0x9df4, 72)),
      bytes(1300, 0x6004, le(0, 2) + le(1, 2)),
      word(1300, 0x6002, 2),
      { timePs: 1400, stage: 'guest.kick', packet: 0, address: 0x8e00, length: 60 },
      { timePs: 1500, stage: 'kvm.exit', packet: 0, address: 0x8e00, length: 60 },
    ],
  },
  {
    core: 'host.vhost0.0',
    task: 'vhost.worker',
    startPs: 2000,
    endPs: 2600,
    entries: [
      { timePs: 2300, stage: 'vhost.fetch', packet: 0, address: 0x8df4, length: 72 },
      { timePs: 2400, stage: 'vhost.copy', packet: 0, address: 0x8df4, length: 60 },
      { timePs: 2200, stage: 'vhost.wakeup', packet: 0, address: 1, length: 0 },
      bytes(2400, 0x6104, le(0, 4) + le(0, 4) + le(1, 4) + le(0, 4)),
      word(2400, 0x6102, 2),
      { timePs: 2500, stage: 'vhost.used', packet: 0, address: 1, length: 0 },
      { timePs: 2600, stage: 'vhost.call' },
    ],
  },
  {
    core: 'host.vhost0.0',
    task: 'vhost.worker',
    startPs: 2700,
    endPs: 2700,
    entries: [word(2700, 0x6124, 2)],
  },
];

function section(runs: readonly Run[]) {
  return readLog(merged({ name: 'tx/vhost-net', parts: [partOf(runs)] })).sections[0];
}

describe('walkPacket', () => {
  const walk = walkPacket(section(RUNS), 'vhost-net', 'tx', [
    { what: 'guest memory', gpa: 0, bytes: 0x10000, mapped: { kind: 'HVA', value: 0x7f0000000000 } },
  ]);

  it('numbers the events by time, those without a packet with them', () => {
    expect(walk.steps.map(({ number, stage, time_ns }) => [number, stage, time_ns])).toEqual([
      [1, 'guest.skb_alloc', 0],
      [2, 'guest.vring_add', 0.1],
      [3, 'guest.kick', 0.2],
      [4, 'kvm.exit', 0.3],
      [5, 'vhost.wakeup', 1],
      [6, 'vhost.fetch', 1.1],
      [7, 'vhost.copy', 1.2],
      [8, 'vhost.used', 1.3],
      [9, 'vhost.call', 1.4],
    ]);
  });

  it('shows ring bytes before and after, of the packet’s own buffer only', () => {
    expect(
      walk.steps[1].rings.map(({ what, before, after, meaning }) => [what, before, after, meaning]),
    ).toEqual([
      ['tx desc[0]', '0'.repeat(32), desc(0x8df4, 72), 'addr 0x8df4, len 72, flags 0'],
      ['tx avail.idx', '0000', '0200', '2'],
    ]);
    expect(walk.steps[7].rings.map(({ what, after }) => [what, after])).toEqual([['tx used.idx', '0200']]);
    expect(walk.steps[8].rings.map(({ what, meaning }) => [what, meaning])).toEqual([
      ['tx avail_event', '2'],
    ]);
  });

  it('counts kicks, exits, copies and calls where they happen', () => {
    const counted = walk.steps.filter(({ counts }) => Object.values(counts).some((count) => count > 0));
    expect(
      counted.map(({ stage, counts }) => [
        stage,
        counts.kicks,
        counts.exits,
        counts.copied_bytes,
        counts.calls,
      ]),
    ).toEqual([
      ['guest.kick', 1, 0, 0, 0],
      ['kvm.exit', 0, 1, 0, 0],
      ['vhost.copy', 0, 0, 60, 0],
      ['vhost.call', 0, 0, 0, 1],
    ]);
  });

  it('says which address space an address belongs to, and the same place in the host’s', () => {
    expect(walk.steps[5].address).toEqual({
      kind: 'GPA',
      value: 0x8df4,
      same: { kind: 'HVA', value: 0x7f0000008df4 },
    });
    expect(walk.steps[3].address).toBeUndefined();
  });

  it('cites the clause of the ring format in use', () => {
    expect(walk.steps[1].clause).toBe('virtio 1.3, 2.7.13');
    const packedRun = { backend: 'vhost-user', direction: 'tx' as const, packed: true };
    expect(stageText('guest.vring_add', packedRun).clause).toBe('virtio 1.3, 2.8.21');
    const host = { backend: 'vhost-net', direction: 'rx' as const, packed: false };
    expect(stageText('nic.used_write', host).clause).toBeUndefined();
    expect(stageText('nic.used_write', { ...host, backend: 'vfio' }).clause).toBe('virtio 1.3, 2.7.8');
  });

  it('prefers a packet of a known flow, and of those the one that shows most', () => {
    const packets = (['switch.upcall', 'tap.xmit', 'wire.tx'] as const).map(
      (stage, packet): Run => ({
        core: 'host.vhost0.0',
        task: 'vhost.worker',
        startPs: 1000 * (packet + 1),
        endPs: 1000 * (packet + 1) + 10,
        entries: [
          { timePs: 1000 * (packet + 1), stage: 'vhost.fetch', packet },
          { timePs: 1000 * (packet + 1) + 1, stage, packet },
          ...(packet < 2 ? [{ timePs: 1000 * (packet + 1) + 2, stage: 'vhost.used', packet }] : []),
        ],
      }),
    );
    expect(walkPacket(section(packets), 'vhost-net', 'tx').packet).toBe(1);
  });

  it('throws when nothing was sampled', () => {
    expect(() => walkPacket(section([setUp]), 'vdpa', 'rx')).toThrow(
      'tx/vhost-net: the event log has no sampled packet',
    );
  });

  it('reads packed rings', () => {
    const packed: Run[] = [
      { ...setUp, entries: enableTransmitQueue(true) },
      {
        core: 'guest0.vcpu0',
        task: 'guest.source',
        startPs: 1000,
        endPs: 1500,
        entries: [
          { timePs: 1300, stage: 'guest.vring_add', packet: 0, address: 0x8e00, length: 60 },
          bytes(1300, 0x5000, le(0x8df4, 8) + le(72, 4) + le(3, 2)),
          word(1300, 0x500e, 0x80),
          word(1400, 0x6000, 0x8001),
        ],
      },
    ];
    const [step] = walkPacket(section(packed), 'vhost-user', 'tx').steps;
    expect(step.rings.map(({ what, after, meaning }) => [what, after, meaning])).toEqual([
      ['tx desc[0]', `${le(0x8df4, 8)}480000000300${le(0x80, 2)}`, 'addr 0x8df4, len 72, id 3, flags AVAIL'],
      ['tx driver event', '01800000', 'enabled, offset 1, wrap 1'],
    ]);
  });
});

describe('stages', () => {
  it('are those that operations are charged to', () => {
    const charged = new Set(OPS.map(({ stage }) => stage));
    const events = ['vhost.wakeup', 'switch.parse'];
    for (const stage of KNOWN_STAGES) expect(charged.has(stage) || events.includes(stage), stage).toBe(true);
  });

  it('all have words of their own', () => {
    const run = { backend: 'vhost-net', direction: 'tx' as const, packed: false };
    const words = KNOWN_STAGES.map((stage) => stageText(stage, run).words);
    expect(new Set(words).size).toBe(words.length);
    expect(stageText('new.stage', run)).toEqual({ words: 'new.stage' });
  });
});

describe('walkSetup', () => {
  const read = (timePs: number, register: number, width: number, value: number): Entry => ({
    ...write(timePs, register, width, value),
    stage: 'tap.read',
  });
  const runs: Run[] = [
    {
      core: 'guest0.vcpu0',
      task: 'guest.init',
      startPs: 1,
      endPs: 20,
      entries: [
        read(1, 0x100000, 4, 0x10411af4),
        read(2, 0x100034, 1, 0x40),
        write(3, 0x14, 1, 0),
        write(4, 0x14, 1, 1),
        write(5, 0x14, 1, 3),
        write(6, 0x00, 4, 1),
        read(7, 0x04, 4, 1),
        ...enableTransmitQueue(false),
        write(19, 0x14, 1, 0xf),
      ],
    },
    {
      core: 'guest0.vmm',
      task: 'vmm',
      startPs: 30,
      endPs: 31,
      entries: [
        { timePs: 30, stage: 'tap.request', text: 'vhost.0.0 beef', address: 1, length: 2 },
        { timePs: 31, stage: 'setup', text: 'guest 0, pair 0: SET_MEM_TABLE' },
      ],
    },
    {
      core: 'guest0.vcpu0',
      task: 'guest.source',
      startPs: 40,
      endPs: 41,
      entries: [
        { timePs: 41, stage: 'wire.tx', packet: 0 },
        { timePs: 41, stage: 'setup', text: 'not set-up any more' },
      ],
    },
  ];
  const walk = walkSetup(section(runs), 'vhost-net', (channel, message) => ({
    details: [`${channel} ${message.length} bytes`],
    maps: [{ what: 'guest memory', gpa: 0, bytes: 0x10000, mapped: { kind: 'HVA', value: 0x7f0000000000 } }],
  }));

  it('groups register accesses by what they are about and counts their exits', () => {
    expect(walk.steps.map(({ words, exits }) => [words, exits])).toEqual([
      ['the driver reads the PCI configuration space: virtio capabilities say where the registers are', 2],
      ['the driver resets the device', 1],
      ['the driver sets device_status: ACKNOWLEDGE', 1],
      ['the driver sets device_status: ACKNOWLEDGE DRIVER', 1],
      ['the driver reads what features the device offers', 2],
      ['the driver accepts features', 2],
      ['the driver sets up the queues', 7],
      ['the driver sets device_status: ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK', 1],
      ['guest 0, pair 0: SET_MEM_TABLE', 0],
    ]);
    expect(walk.steps[4].details).toEqual(['bits 32 to 63: 0x1']);
    expect(walk.steps[6].details).toEqual([
      'queue 1 (tx): split, 4 entries, descriptors GPA 0x5000, available ring 0x6000, used ring 0x6100, MSI-X vector 2',
    ]);
    expect(walk.steps[8].details).toEqual(['vhost.0.0 2 bytes']);
  });

  it('traps only configuration space when the function is passed through', () => {
    const exits = walkSetup(section(runs), 'vfio').steps.reduce((sum, step) => sum + step.exits, 0);
    expect(exits).toBe(2);
  });

  it('ends with a memory map in which rings are translated', () => {
    expect(walk.memory.map(({ what, gpa, mapped }) => [what, gpa, mapped?.value])).toEqual([
      ['guest memory', 0, 0x7f0000000000],
      ['guest 0 tx ring: descriptors', 0x5000, 0x7f0000005000],
      ['guest 0 tx ring: available', 0x6000, 0x7f0000006000],
      ['guest 0 tx ring: used', 0x6100, 0x7f0000006100],
    ]);
  });

  it('is readable', () => {
    const text = renderWalk(walk);
    expect(text).toContain('vhost-net, set-up: negotiation and memory map, 9 steps\n');
    expect(text).toContain('the driver sets up the queues (7 exits; virtio 1.3, 4.1.5.1.3)\n');
    expect(text).toMatch(/guest memory +GPA 0x0 to 0xffff, 65536 bytes -> HVA 0x7f0000000000\n/);
    expect(text).toContain('in all: 17 exits for registers\n');
  });
});

describe('renderWalk', () => {
  it('tells a packet step by step', () => {
    const text = renderWalk(walkPacket(section(RUNS), 'vhost-net', 'tx'));
    expect(text.split('\n\n')[2]).toBe(
      [
        '  2  guest.vring_add    guest0.vcpu0          0.1 ns   virtio 1.3, 2.7.13',
        '     the driver describes the buffer in a descriptor, makes it available and publishes that',
        '     GPA 0x8e00, 60 bytes',
        '     tx desc[0]: 00000000 00000000 00000000 00000000 -> f48d0000 00000000 48000000 00000000   addr 0x8df4, len 72, flags 0',
        '     tx avail.idx: 0000 -> 0200   2',
      ].join('\n'),
    );
    expect(text.trimEnd().split('\n').at(-1)).toBe('in all: 1 kick, 1 exit, 1 copy of 60 bytes, 1 call');
  });
});
