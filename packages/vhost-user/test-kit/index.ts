export { FakeDevice, type FakeRing } from './fake-device.ts';
export { FakeMapper } from './fake-mapper.ts';
export { MemorySocket, type MemorySocketOptions, memorySocketPair } from './memory-socket.ts';
