import { F_SEAL_SHRINK, type FdFacts, fdFacts, memfd } from '@vhostlab/host';
import type { CreatedMemory, Fd, MapProblem, Mapping, MapRequest, MemoryMapper } from '../src/index.ts';

/** Maps nothing, but answers as an arena would: checks the file, hands out offsets, counts what is mapped. */
export class FakeMapper implements MemoryMapper {
  readonly mapped = new Set<Mapping>();
  /** Bytes that fit at once. */
  roomBytes: number;
  #next = 4096;

  constructor(roomBytes = 2 ** 32) {
    this.roomBytes = roomBytes;
  }

  get bytes(): number {
    return [...this.mapped].reduce((sum, mapping) => sum + mapping.bytes, 0);
  }

  map({ fd, fileOffset, bytes, purpose }: MapRequest): Mapping | MapProblem {
    const facts = factsOf(fd);
    if (facts === null || facts.kind !== 'file') {
      return { problem: 'bad-file', text: `what came for ${purpose} is no file` };
    }
    if (fileOffset % 4096 !== 0) return { problem: 'unaligned', text: `offset ${fileOffset}` };
    if (fileOffset + bytes > facts.sizeBytes) {
      return { problem: 'beyond-file', text: `${fileOffset + bytes} bytes of a file of ${facts.sizeBytes}` };
    }
    if (this.bytes + bytes > this.roomBytes) return { problem: 'no-room', text: 'the arena is full' };
    const shrinkSealed = (facts.seals & F_SEAL_SHRINK) !== 0;
    const mapping = { arenaOffset: this.#next, bytes, file: facts.identity, shrinkSealed };
    this.#next += Math.ceil(bytes / 4096) * 4096 + 4096;
    this.mapped.add(mapping);
    return mapping;
  }

  create(name: string, bytes: number): CreatedMemory | MapProblem {
    const fd = memfd(name, bytes, { seals: F_SEAL_SHRINK });
    const mapping = this.map({ fd, fileOffset: 0, bytes, purpose: 'inflight' });
    if (!('problem' in mapping)) return { fd, mapping };
    fd.close();
    return mapping;
  }

  unmap(mapping: Mapping): void {
    if (!this.mapped.delete(mapping)) throw new Error('unmapped twice');
  }
}

function factsOf(fd: Fd): FdFacts | null {
  try {
    return fdFacts(fd);
  } catch {
    return null;
  }
}
