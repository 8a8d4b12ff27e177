import type { Arena } from '@vhostlab/memory';
import { FileSink } from '../journal/file-sink.ts';
import { hex, type MemoryNote, type RecordLine } from './record-lines.ts';

/** Writes `messages.jsonl`, one object per line, and `memory.bin`, the bytes that its lines point at. */
export class RecordWriter {
  readonly #lines: FileSink;
  readonly #memory: FileSink;
  readonly #maxMemoryBytes: number;
  lineCount = 0;

  constructor(linesPath: string, memoryPath: string, maxMemoryBytes: number) {
    this.#lines = new FileSink(linesPath);
    this.#memory = new FileSink(memoryPath);
    this.#maxMemoryBytes = maxMemoryBytes;
  }

  /** False once so many bytes of guest memory are kept that buffers are not recorded any more. */
  get hasRoom(): boolean {
    return this.#memory.length < this.#maxMemoryBytes;
  }

  write(line: RecordLine): void {
    this.#lines.text(`${JSON.stringify(line)}\n`);
    this.lineCount++;
  }

  /** Keeps bytes of guest memory, read now. */
  keep(arena: Arena, gpa: number, offset: number, bytes: number): MemoryNote {
    const at = this.#memory.length;
    this.#memory.bytes(arena.u8.subarray(offset, offset + bytes));
    return { gpa: hex(gpa), at, bytes };
  }

  flush(): void {
    this.#lines.flush();
    this.#memory.flush();
  }

  close(): void {
    this.#lines.close();
    this.#memory.close();
  }
}
