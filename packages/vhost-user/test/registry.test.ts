import { FEATURES } from '@vhostlab/virtio-net';
import { expect, test } from 'vitest';
import {
  BACK,
  BACK_MESSAGES,
  backMessage,
  F_LOG_ALL,
  F_PROTOCOL_FEATURES,
  FRONT,
  FRONT_MESSAGES,
  fixedSize,
  frontMessage,
  missingRequirements,
  PROTOCOL_F,
  PROTOCOL_FEATURES,
  protocolFeatureNames,
  protocolMask,
  virtioFeatureNames,
} from '../src/index.ts';

test('front-end requests are 1 to 44 without a gap, back-end ones 1 to 10, feature bits 0 to 22', () => {
  expect(FRONT_MESSAGES.map((row) => row.request)).toEqual(Array.from({ length: 44 }, (_, i) => i + 1));
  expect(BACK_MESSAGES.map((row) => row.request)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
  expect(PROTOCOL_FEATURES.map((row) => row.bit)).toEqual(Array.from({ length: 23 }, (_, i) => i));
});

test('names are used once', () => {
  for (const rows of [FRONT_MESSAGES, BACK_MESSAGES, PROTOCOL_FEATURES]) {
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
  }
});

test('constants and rows name the same numbers', () => {
  expect([
    FRONT.GET_FEATURES,
    FRONT.SET_MEM_TABLE,
    FRONT.SET_BACKEND_REQ_FD,
    FRONT.CHECK_DEVICE_STATE,
  ]).toEqual([1, 5, 21, 43]);
  expect([BACK.IOTLB_MSG, BACK.CONFIG_CHANGE_MSG, BACK.SHMEM_UNMAP]).toEqual([1, 2, 10]);
  expect([PROTOCOL_F.REPLY_ACK, PROTOCOL_F.CONFIGURE_MEM_SLOTS, PROTOCOL_F.DEVICE_STATE]).toEqual([
    8n,
    0x8000n,
    0x80000n,
  ]);
  expect([F_PROTOCOL_FEATURES, F_LOG_ALL]).toEqual([1n << 30n, 1n << 26n]);
  expect([frontMessage(0), frontMessage(45), backMessage(11)]).toEqual([undefined, undefined, undefined]);
});

test('the three collisions of numbers are recorded', () => {
  expect(PROTOCOL_FEATURES.filter((row) => row.collision !== undefined).map((row) => row.bit)).toEqual([
    17, 18, 21, 22,
  ]);
  expect(frontMessage(44)?.collision).toContain('SKIP_DRAIN');
});

test('a message that needs a protocol feature names one of the table, and descriptors fit in one message', () => {
  const names = new Set(PROTOCOL_FEATURES.map((row) => row.name));
  for (const row of [...FRONT_MESSAGES, ...BACK_MESSAGES]) {
    if (row.feature !== undefined) expect(names).toContain(row.feature);
    expect(row.fds[0]).toBeLessThanOrEqual(row.fds[1]);
    expect(row.fds[1]).toBeLessThanOrEqual(8);
  }
});

test('sizes of payloads are those that C compilers give', () => {
  const sizes = (
    ['u64', 'state', 'addr', 'mem-region', 'log', 'iotlb', 'vring-area', 'inflight'] as const
  ).map(fixedSize);
  expect(sizes).toEqual([8, 8, 40, 40, 16, 32, 24, 24]);
});

test('masks are explained by name, unknown bits by number', () => {
  expect(protocolFeatureNames(0x10009n)).toEqual(['MQ', 'REPLY_ACK', 'STATUS']);
  expect(protocolFeatureNames(1n << 40n)).toEqual(['bit 40']);
  expect(virtioFeatureNames(0x150008000n)).toEqual([
    'MRG_RXBUF',
    'INDIRECT_DESC',
    'PROTOCOL_FEATURES',
    'VERSION_1',
  ]);
  for (const { name, bit } of FEATURES) expect(virtioFeatureNames(1n << BigInt(bit))).toEqual([name]);
});

test('requirements between protocol features', () => {
  expect(missingRequirements(protocolMask('INBAND_NOTIFICATIONS', 'REPLY_ACK'))).toEqual([
    ['INBAND_NOTIFICATIONS', 'BACKEND_REQ'],
  ]);
  expect(missingRequirements(protocolMask('INBAND_NOTIFICATIONS', 'REPLY_ACK', 'BACKEND_REQ'))).toEqual([]);
});
