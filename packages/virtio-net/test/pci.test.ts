import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COMMON_CONFIG,
  FeatureSet,
  initVirtioPci,
  NetConfig,
  NO_VECTOR,
  PCI_CONFIG_WINDOW,
  readDeviceConfig,
  resetQueue,
  runAccesses,
  VirtioPciDevice,
  type VirtioPciOptions,
} from '../src/index.ts';

const MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const OFFERS = FeatureSet.of('VERSION_1', 'MAC', 'CTRL_VQ', 'MQ', 'RING_PACKED', 'RING_RESET', 'STATUS');

function makeDevice(options: Partial<VirtioPciOptions> = {}) {
  const config = new NetConfig({ mac: MAC, maxQueuePairs: 2 });
  const log: string[] = [];
  const device = new VirtioPciDevice({
    offers: OFFERS,
    queues: 5,
    maxQueueSize: 256,
    config,
    configBytes: 28,
    onStatus: (status, answer) => log.push(`status ${status} ${answer}`),
    onReset: () => log.push('reset'),
    onQueueEnable: (queue) => log.push(`enable ${queue.index}`),
    onNotify: (queue, data) => log.push(`notify ${queue} ${data}`),
    onInterrupt: (vector) => log.push(`interrupt ${vector}`),
    onIntx: (asserted) => log.push(`intx ${asserted}`),
    ...options,
  });
  return { device, config, log };
}

function start(device: VirtioPciDevice, wants = OFFERS.without('RING_PACKED')) {
  return runAccesses(
    initVirtioPci({
      wants,
      configVector: 0,
      setupQueue: (queue, maxSize) => ({
        size: maxSize,
        descriptorArea: 2 ** 40 + queue * 0x10000,
        driverArea: queue * 0x10000 + 0x1000,
        deviceArea: queue * 0x10000 + 0x2000,
        vector: queue + 1,
      }),
    }),
    device,
  );
}

describe('virtio-pci initialisation', () => {
  it('brings a device up', () => {
    const { device, log } = makeDevice();
    const result = start(device);
    expect(result.ok).toBe(true);
    if (!result.ok) return;
    expect(result.value.features.names()).toEqual([
      'MAC',
      'STATUS',
      'CTRL_VQ',
      'MQ',
      'VERSION_1',
      'RING_RESET',
    ]);
    expect(result.value.dropped).toEqual([
      { bit: 34, name: 'RING_PACKED', reason: 'not-wanted', missing: '' },
    ]);
    expect(result.value.queues.length).toBe(5);
    expect(device.live).toBe(true);
    expect(device.features.equals(result.value.features)).toBe(true);
    expect(device.queues[4]).toMatchObject({ size: 256, vector: 5, enabled: true });
    expect(device.queues[4].descriptorArea).toBe(2 ** 40 + 0x40000);
    expect(device.queues[4].deviceArea).toBe(0x42000);
    expect(log).toEqual([
      'reset',
      'status 1 accepted',
      'status 3 accepted',
      'status 11 accepted',
      ...[0, 1, 2, 3, 4].map((queue) => `enable ${queue}`),
      'status 15 accepted',
    ]);
    expect(Object.values(device.faults).every((count) => count === 0)).toBe(true);
  });

  it('finds the structures where the device put them', () => {
    const { device } = makeDevice();
    const result = start(device);
    if (!result.ok) throw new Error(result.detail);
    const { msixCapability, ...layout } = result.value.layout;
    expect(layout).toEqual(device.layout);
    expect(msixCapability).toBeGreaterThan(0x3f);
  });

  it('gives up with FAILED on a legacy device, a dead one, a device without vectors', () => {
    const legacy = makeDevice({ offers: FeatureSet.of('MAC') });
    expect(start(legacy.device)).toMatchObject({ ok: false, failure: 'no-version-1' });
    expect(legacy.device.status).toBe(128 | 3);
    const nothing = { readRegister: () => 0xffffffff, writeRegister: () => {} };
    expect(
      runAccesses(initVirtioPci({ wants: OFFERS, configVector: 0, setupQueue: () => undefined }), nothing),
    ).toMatchObject({ ok: false, failure: 'no-device' });
    expect(start(makeDevice({ vectors: 3 }).device)).toMatchObject({ ok: false, failure: 'no-vector' });
  });

  it('refuses FEATURES_OK for features that do not fit together', () => {
    const { device } = makeDevice();
    const write = (field: number, width: number, value: number) => device.writeRegister(field, width, value);
    write(COMMON_CONFIG.device_status, 1, 3);
    write(COMMON_CONFIG.driver_feature, 4, 1 << 22);
    write(COMMON_CONFIG.device_status, 1, 11);
    expect(device.readRegister(COMMON_CONFIG.device_status, 1)).toBe(3);
    expect(device.ackFaults.map((fault) => fault.missing)).toEqual(['CTRL_VQ']);
    write(COMMON_CONFIG.driver_feature_select, 4, 2);
    write(COMMON_CONFIG.driver_feature, 4, 1);
    write(COMMON_CONFIG.driver_feature_select, 4, 0);
    write(COMMON_CONFIG.driver_feature, 4, 0);
    write(COMMON_CONFIG.device_status, 1, 11);
    expect(device.readRegister(COMMON_CONFIG.device_status, 1)).toBe(3);
    expect(device.faults.status).toBe(2);
  });
});

describe('virtio-pci operation', () => {
  it('has its fields where virtio 1.3, 4.1.4.3 has them', () => {
    const { device } = makeDevice({ offers: FeatureSet.of('MAC', 'VERSION_1', 'RING_RESET') });
    expect(device.readRegister(0x04, 4)).toBe(1 << 5);
    device.writeRegister(0x00, 4, 1);
    expect(device.readRegister(0x04, 4)).toBe(0x101);
    device.writeRegister(0x00, 4, 2);
    expect(device.readRegister(0x04, 4)).toBe(0);
    device.writeRegister(0x14, 1, 3);
    device.writeRegister(0x08, 4, 1);
    device.writeRegister(0x0c, 4, 0x101);
    device.writeRegister(0x14, 1, 11);
    expect([
      device.readRegister(0x14, 1),
      device.readRegister(0x12, 2),
      device.readRegister(0x15, 1),
    ]).toEqual([11, 5, 0]);
    expect(device.readRegister(0x10, 2)).toBe(0xffff);
    device.writeRegister(0x16, 2, 3);
    device.writeRegister(0x18, 2, 64);
    device.writeRegister(0x1a, 2, 4);
    device.writeRegister(0x20, 4, 0x1000);
    device.writeRegister(0x24, 4, 0x2);
    device.writeRegister(0x28, 8, 0x3_0000_4000);
    device.writeRegister(0x30, 4, 0x5000);
    device.writeRegister(0x1c, 2, 1);
    const { size, vector, enabled, descriptorArea, driverArea, deviceArea } = device.queues[3];
    expect({ size, vector, enabled, descriptorArea, driverArea, deviceArea }).toEqual({
      size: 64,
      vector: 4,
      enabled: true,
      descriptorArea: 0x2_0000_1000,
      driverArea: 0x3_0000_4000,
      deviceArea: 0x5000,
    });
    expect([device.readRegister(0x1e, 2), device.readRegister(0x38, 2)]).toEqual([3, 3]);
    device.writeRegister(0x3a, 2, 1);
    expect([device.readRegister(0x1c, 2), device.readRegister(0x18, 2)]).toEqual([0, 256]);
    device.writeRegister(0x16, 2, 5);
    expect(device.readRegister(0x18, 2)).toBe(0);
    expect(Object.values(device.faults)).toEqual(Array(7).fill(0));
  });

  it('passes notifications on and counts those that hit nothing', () => {
    const { device, log } = makeDevice();
    const result = start(device);
    if (!result.ok) throw new Error(result.detail);
    log.length = 0;
    const queue = result.value.queues[3];
    device.writeRegister(queue.notifyOffset, queue.notifyWidth, queue.notifyData);
    expect(log).toEqual(['notify 3 3']);
    device.writeRegister(queue.notifyOffset, 4, 3);
    expect(device.faults.wrongWidth).toBe(1);
    device.writeRegister(COMMON_CONFIG.device_status, 1, 0);
    device.writeRegister(queue.notifyOffset, 2, 3);
    expect(device.faults.notify).toBe(1);
  });

  it('takes 32-bit notifications with NOTIFICATION_DATA', () => {
    const offers = OFFERS.with('NOTIFICATION_DATA');
    const { device, log } = makeDevice({ offers, notifyMultiplier: 0 });
    const result = start(device, offers);
    if (!result.ok) throw new Error(result.detail);
    log.length = 0;
    device.writeRegister(result.value.queues[2].notifyOffset, 4, (0x8005 << 16) | 2);
    expect(log).toEqual([`notify 2 ${((0x8005 << 16) | 2) >>> 0}`]);
  });

  it('sends MSI-X messages, and holds them while a vector is masked', () => {
    const { device, log } = makeDevice();
    start(device);
    log.length = 0;
    device.raiseQueue(1);
    device.raiseConfig();
    const control = device.layout.msixTable + 2 * 16 + 12;
    device.writeRegister(control, 4, 1);
    device.raiseQueue(1);
    expect(device.readRegister(device.layout.msixPba, 4)).toBe(1 << 2);
    expect(log).toEqual(['interrupt 2', 'interrupt 0']);
    device.writeRegister(control, 4, 0);
    expect(device.readRegister(device.layout.msixPba, 4)).toBe(0);
    expect(log).toEqual(['interrupt 2', 'interrupt 0', 'interrupt 2']);
  });

  it('falls back to the ISR byte, which a read clears', () => {
    const { device, log } = makeDevice({ vectors: 0 });
    device.raiseQueue(0);
    device.raiseConfig();
    expect(device.readRegister(device.layout.isr, 1)).toBe(3);
    expect(device.readRegister(device.layout.isr, 1)).toBe(0);
    expect(log).toEqual(['intx true', 'intx true', 'intx false']);
  });

  it('resets one queue and leaves the others alone', () => {
    const { device } = makeDevice();
    const result = start(device);
    if (!result.ok) throw new Error(result.detail);
    expect(runAccesses(resetQueue(result.value.layout, 1, 3), device)).toBe(true);
    expect(device.queues[1]).toMatchObject({ enabled: false, vector: NO_VECTOR });
    expect(device.queues[0].enabled).toBe(true);
  });

  it('keeps queue_reset set until its owner has let go of the queue', () => {
    const pending: number[] = [];
    const { device } = makeDevice({ onQueueReset: (queue) => pending.push(queue.index) });
    const result = start(device);
    if (!result.ok) throw new Error(result.detail);
    expect(runAccesses(resetQueue(result.value.layout, 1, 3), device)).toBe(false);
    expect(pending).toEqual([1]);
    device.finishQueueReset(1);
    expect(device.readRegister(COMMON_CONFIG.queue_reset, 2)).toBe(0);
    expect(device.readRegister(COMMON_CONFIG.queue_enable, 2)).toBe(0);
  });

  it('refuses queue sizes that the ring cannot have', () => {
    const { device } = makeDevice();
    const sizes = [0, 3, 257, 0xffff].map((size) => {
      device.writeRegister(COMMON_CONFIG.queue_size, 2, size);
      return device.readRegister(COMMON_CONFIG.queue_size, 2);
    });
    expect(sizes).toEqual([256, 256, 256, 256]);
    expect(device.faults.queueSize).toBe(4);
    device.writeRegister(COMMON_CONFIG.driver_feature_select, 4, 1);
    device.writeRegister(COMMON_CONFIG.driver_feature, 4, OFFERS.high);
    device.writeRegister(COMMON_CONFIG.queue_size, 2, 3);
    expect(device.readRegister(COMMON_CONFIG.queue_size, 2)).toBe(3);
  });

  it('says DEVICE_NEEDS_RESET with a configuration interrupt', () => {
    const { device, log } = makeDevice();
    start(device);
    log.length = 0;
    device.needsReset();
    expect(device.status).toBe(15 | 64);
    expect(log).toEqual(['interrupt 0']);
    expect(device.live).toBe(false);
  });
});

describe('device configuration', () => {
  it('reads as the 28 bytes of struct virtio_net_config', () => {
    const { device, config } = makeDevice();
    const bytes = runAccesses(readDeviceConfig(device.layout, 28), device);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '525400123456' + '0100' + '0200' + 'dc05' + 'ffffffff' + 'ff' + '28' + '8000' + '3f000000' + '00000000',
    );
    expect(config.copyBytes()).toEqual(bytes);
  });

  it('changes its generation between two reads that a change separates, however many', () => {
    const { device, config } = makeDevice();
    const read = () => device.readRegister(COMMON_CONFIG.config_generation, 1);
    const first = read();
    expect(read()).toBe(first);
    for (let i = 0; i < 256; i++) config.setLinkUp(i % 2 === 1);
    expect(read()).not.toBe(first);
  });
});

describe('PCI configuration space', () => {
  it('is that of a modern virtio network function', () => {
    const bytes = makeDevice().device.config.copyBytes();
    const hex = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('hex');
    expect(hex(0, 4)).toBe('f41a4110');
    expect(hex(0x34, 0x35)).toBe('40');
    expect(hex(0x40, 0x50)).toBe('09501001000000000000000040000000');
    expect(hex(0x50, 0x64)).toBe('096414020000000000500000' + '14000000' + '04000000');
    expect(hex(0x64, 0x74)).toBe('09741003000000000010000001000000');
    expect(hex(0x74, 0x84)).toBe('0984100400000000002000001c000000');
    expect(hex(0x84, 0x98)).toBe('0998140500000000000000000000000000000000');
    expect(hex(0x98, 0xa4)).toBe('110005000030000000400000');
  });

  it('reaches the BAR through the PCI_CFG window', () => {
    const { device } = makeDevice();
    const cap = PCI_CONFIG_WINDOW + 0x84;
    device.writeRegister(cap + 8, 4, COMMON_CONFIG.num_queues);
    device.writeRegister(cap + 12, 4, 2);
    expect(device.readRegister(cap + 16, 4)).toBe(5);
    device.writeRegister(cap + 8, 4, COMMON_CONFIG.device_status);
    device.writeRegister(cap + 12, 4, 1);
    device.writeRegister(cap + 16, 4, 1);
    expect(device.status).toBe(1);
    device.writeRegister(cap + 12, 4, 3);
    expect(device.readRegister(cap + 16, 4)).toBe(0);
  });

  it('never throws, whatever is read and written', () => {
    const offset = fc.oneof(
      fc.nat(0x70),
      fc.nat(0x6000),
      fc.nat(0x110).map((at) => PCI_CONFIG_WINDOW + at),
      fc.integer(),
    );
    const access = fc.tuple(
      fc.boolean(),
      offset,
      fc.constantFrom(1, 2, 4, 8, 3, 0),
      fc.oneof(fc.nat(0x20), fc.integer(), fc.maxSafeInteger()),
    );
    fc.assert(
      fc.property(fc.array(access, { maxLength: 60 }), (accesses) => {
        const { device } = makeDevice();
        for (const [isWrite, at, width, value] of accesses) {
          if (isWrite) {
            device.writeRegister(at, width, value);
          } else {
            const read = device.readRegister(at, width);
            expect(read).toBeGreaterThanOrEqual(0);
            expect(read).toBeLessThan(2 ** (8 * Math.max(width, 1)));
          }
          expect(device.queues.every((queue) => queue.size >= 1 && queue.size <= 256)).toBe(true);
        }
      }),
    );
  });
});
