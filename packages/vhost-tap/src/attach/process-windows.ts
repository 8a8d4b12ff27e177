import {
  closeAll,
  type Fd,
  fdFacts,
  HostError,
  type MappedArena,
  openPath,
  pidfdGetfd,
  pidfdOpen,
  processDescriptors,
  processMappings,
  reserveArena,
} from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import { OffsetAllocator } from '@vhostlab/vhost-device';
import type { QueuePlace } from './queue-reader.ts';
import { AttachError, type FileArea, type FoundQueue } from './queue-source.ts';

const ARENA_BYTES = 2 ** 32;

/** The pages of another process that hold its rings, mapped for reading. */
export class ProcessWindows {
  readonly arena: Arena;
  readonly #pid: number;
  readonly #mapped: MappedArena;
  readonly #offsets = new OffsetAllocator(4096, ARENA_BYTES);
  readonly #files = new Map<number, Fd>();
  /** Offsets of what is mapped, by file and place: areas often share a page. */
  readonly #windows = new Map<string, number>();

  constructor(pid: number) {
    this.#pid = pid;
    this.#mapped = reserveArena(ARENA_BYTES);
    this.arena = new Arena(this.#mapped.buffer);
  }

  /** Maps a ring. Throws an AttachError. */
  place(found: FoundQueue): QueuePlace {
    const { queue, format, size, hasEvents, descArea, driverArea, deviceArea } = found;
    return {
      queue,
      format,
      size,
      hasEvents,
      descOffset: this.#map(descArea),
      driverOffset: this.#map(driverArea),
      deviceOffset: this.#map(deviceArea),
    };
  }

  /** Gives everything back; `arena` must not be used any more. */
  close(): void {
    closeAll([...this.#files.values()]);
    this.#mapped.release();
  }

  #map({ inode, fileOffset, bytes }: FileArea): number {
    const fd = this.#file(inode);
    const { pageBytes, sizeBytes } = fdFacts(fd);
    const start = Math.floor(fileOffset / pageBytes) * pageBytes;
    const whole = Math.ceil((fileOffset + bytes) / pageBytes) * pageBytes - start;
    if (fileOffset + bytes > sizeBytes) {
      throw new AttachError(`--pid ${this.#pid}: a ring ends behind its memory of ${sizeBytes} bytes.`);
    }
    const key = `${inode}:${start}:${whole}`;
    let at = this.#windows.get(key);
    if (at === undefined) {
      at = this.#offsets.alloc(whole, pageBytes);
      if (at < 0) throw new AttachError('the rings lie on more huge pages than fit into 4 GiB.');
      this.#mapped.mapFile(at, fd, start, whole, { readOnly: true });
      this.#windows.set(key, at);
    }
    return at + fileOffset - start;
  }

  /** A descriptor of our own of the file that the process has mapped. */
  #file(inode: number): Fd {
    let fd = this.#files.get(inode);
    if (fd === undefined) {
      fd = this.#openFile(inode);
      this.#files.set(inode, fd);
    }
    return fd;
  }

  #openFile(inode: number): Fd {
    const mapping = processMappings(this.#pid)?.find(
      (each) => each.inode === inode && each.permissions.endsWith('s'),
    );
    if (mapping === undefined) {
      const text = 'it does not have the memory of the rings; name the front end, its back end, or the tap.';
      throw new AttachError(`--pid ${this.#pid}: ${text}`);
    }
    try {
      const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
      // a process may have closed what it has mapped
      return (
        this.#fromDescriptors(inode, mapping.path) ??
        openPath(`/proc/${this.#pid}/map_files/${range}`, 'read')
      );
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new AttachError(`--pid ${this.#pid}: ${error.message}; run as its user, or as root.`);
    }
  }

  #fromDescriptors(inode: number, path: string): Fd | null {
    const files = processDescriptors(this.#pid)?.filter(({ target }) => target === path) ?? [];
    const process = pidfdOpen(this.#pid);
    try {
      for (const { number } of files) {
        const fd = pidfdGetfd(process, number);
        const { kind, identity } = fdFacts(fd);
        if (kind === 'file' && identity.endsWith(`:${inode}`)) return fd;
        fd.close();
      }
      return null;
    } finally {
      process.close();
    }
  }
}
