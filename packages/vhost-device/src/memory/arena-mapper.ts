import {
  type Descriptor,
  F_SEAL_SHRINK,
  type FdFacts,
  fdFacts,
  HostError,
  type MappedArena,
  memfd,
} from '@vhostlab/host';
import type { CreatedMemory, MapProblem, Mapping, MapRequest, MemoryMapper } from '@vhostlab/vhost-user';
import type { OffsetAllocator } from './offset-allocator.ts';

const PAGE_BYTES = 4096;

/** What a mapping occupies: whole pages of its file, which begin before the mapping when the file has huge pages. */
interface Place {
  offset: number;
  bytes: number;
}

/** Maps files of peers into the arena of the process. Every refusal is an answer with the figures in it. */
export class ArenaMapper implements MemoryMapper {
  readonly #arena: MappedArena;
  readonly #offsets: OffsetAllocator;
  readonly #places = new Map<Mapping, Place>();

  constructor(arena: MappedArena, offsets: OffsetAllocator) {
    this.#arena = arena;
    this.#offsets = offsets;
  }

  /** Mappings that exist now. */
  get count(): number {
    return this.#places.size;
  }

  map(request: MapRequest): Mapping | MapProblem {
    const { fd, fileOffset, bytes, purpose } = request;
    const facts = factsOf(fd);
    if (facts === undefined || facts.kind !== 'file') {
      return {
        problem: 'bad-file',
        text: `the descriptor for ${purpose} is a ${facts?.kind ?? 'closed one'}, not a file`,
      };
    }
    if (fileOffset % PAGE_BYTES !== 0) {
      const text = `offset ${fileOffset} in the file for ${purpose} is no multiple of ${PAGE_BYTES}`;
      return { problem: 'unaligned', text };
    }
    if (fileOffset + bytes > facts.sizeBytes) {
      const text = `${bytes} bytes at ${fileOffset} for ${purpose} end behind the file's ${facts.sizeBytes}`;
      return { problem: 'beyond-file', text };
    }
    return this.#mapPages(request, facts);
  }

  #mapPages(request: MapRequest, facts: FdFacts): Mapping | MapProblem {
    const { fd, fileOffset, bytes, purpose } = request;
    const page = facts.pageBytes;
    const start = Math.floor(fileOffset / page) * page;
    const whole = Math.ceil((fileOffset + bytes) / page) * page - start;
    const at = this.#offsets.alloc(whole, page);
    if (at < 0) {
      const text =
        `no room for ${whole} bytes of ${purpose}: ${this.#offsets.freeBytes} of ${this.#arena.sizeBytes} are free, ` +
        'for all guests of this process together';
      return { problem: 'no-room', text };
    }
    try {
      this.#arena.mapFile(at, fd, start, whole);
    } catch (error) {
      this.#offsets.free(at, whole);
      if (!(error instanceof HostError)) throw error;
      return { problem: 'bad-file', text: `the file for ${purpose} cannot be mapped: ${error.message}` };
    }
    const mapping: Mapping = {
      arenaOffset: at + fileOffset - start,
      bytes,
      file: facts.identity,
      shrinkSealed: (facts.seals & F_SEAL_SHRINK) !== 0,
    };
    this.#places.set(mapping, { offset: at, bytes: whole });
    return mapping;
  }

  create(name: string, bytes: number): CreatedMemory | MapProblem {
    let fd: ReturnType<typeof memfd>;
    try {
      fd = memfd(name, bytes, { seals: F_SEAL_SHRINK });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return { problem: 'no-room', text: error.message };
    }
    const mapping = this.map({ fd, fileOffset: 0, bytes, purpose: 'inflight' });
    if ('problem' in mapping) {
      fd.close();
      return mapping;
    }
    return { fd, mapping };
  }

  unmap(mapping: Mapping): void {
    const place = this.#places.get(mapping);
    if (place === undefined) throw new Error(`a mapping at ${mapping.arenaOffset} is unmapped twice`);
    this.#places.delete(mapping);
    this.#arena.unmap(place.offset, place.bytes);
    this.#offsets.free(place.offset, place.bytes);
  }
}

function factsOf(fd: Descriptor): FdFacts | undefined {
  try {
    return fdFacts(fd);
  } catch {
    return undefined;
  }
}
