export { MemorySocket, type MemorySocketOptions, memorySocketPair } from './memory-socket.ts';
