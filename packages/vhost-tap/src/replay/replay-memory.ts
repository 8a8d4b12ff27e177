import { closeAll, type Fd, HostError, memfd } from '@vhostlab/host';
import { ACCESS_READ, type Arena } from '@vhostlab/memory';
import type { Message } from '@vhostlab/vhost-user';
import { WatchedMemory } from '../memory/watched-memory.ts';
import type { FdNote, MemoryNote } from '../record/record-lines.ts';
import { RecordError } from '../record/record-reader.ts';

/** The guest's memory once more: files of the same sizes, at the same guest addresses. */
export class ReplayMemory {
  readonly #watched = new WatchedMemory('write');
  readonly #files = new Map<number, Fd>();
  readonly #unnamed: Fd[] = [];

  get arena(): Arena {
    return this.#watched.arena;
  }

  get space(): WatchedMemory['space'] {
    return this.#watched.space;
  }

  /** The file that a message brought: the same one for the same inode. It stays this object's. Throws a RecordError. */
  file({ inode, bytes = 0 }: FdNote): Fd {
    const known = inode === undefined ? undefined : this.#files.get(inode);
    if (known !== undefined) return known;
    let fd: Fd;
    try {
      fd = memfd('replay', bytes);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new RecordError(
        `a file of ${bytes} bytes, as the record has one, cannot be made: ${error.message}.`,
      );
    }
    if (inode === undefined) this.#unnamed.push(fd);
    else this.#files.set(inode, fd);
    return fd;
  }

  /** A file of the back end stands for one of the record from now on; it is this object's. */
  adopt({ inode }: FdNote, fd: Fd): void {
    if (inode === undefined) {
      fd.close();
      return;
    }
    this.#files.get(inode)?.close();
    this.#files.set(inode, fd);
  }

  /** True when the message changes which memory there is. */
  static isChange({ name, payload }: Message): boolean {
    if (payload?.kind === 'mem-table') return payload.regions.length > 0;
    return payload?.kind === 'mem-region' && (name === 'ADD_MEM_REG' || name === 'REM_MEM_REG');
  }

  /** Follows a message that changes memory; answers what cannot be mapped. */
  apply({ name, payload }: Message, fds: readonly Fd[]): string[] {
    const problems: string[] = [];
    const say = (problem: { readonly text: string } | null) => {
      if (problem !== null) problems.push(problem.text);
    };
    if (payload?.kind === 'mem-table') {
      this.#watched.clear();
      payload.regions.forEach((region, at) => {
        const fd = fds[at];
        if (fd !== undefined) say(this.#watched.add(region, fd));
      });
    } else if (payload?.kind === 'mem-region' && name === 'ADD_MEM_REG') {
      if (fds[0] !== undefined) say(this.#watched.add(payload.region, fds[0]));
    } else if (payload?.kind === 'mem-region') say(this.#watched.remove(payload.region));
    return problems;
  }

  /** Offset of guest memory in one piece; -1 when it is not all mapped. */
  offsetOf(gpa: string, bytes: number): number {
    const address = Number(gpa);
    if (!Number.isSafeInteger(address) || bytes === 0) return -1;
    return Math.max(-1, this.#watched.space.translate(address, bytes, ACCESS_READ));
  }

  /** Writes recorded bytes where they were; false when nothing is mapped there. */
  write({ gpa, bytes: length }: MemoryNote, bytes: Uint8Array): boolean {
    if (length === 0) return true;
    const offset = this.offsetOf(gpa, length);
    if (offset < 0) return false;
    this.arena.u8.set(bytes, offset);
    return true;
  }

  /** Gives everything back; no look at `arena` may follow. */
  release(): void {
    this.#watched.release();
    closeAll([...this.#files.values(), ...this.#unnamed.splice(0)]);
    this.#files.clear();
  }
}
