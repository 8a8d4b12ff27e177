import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IotlbTable, piecesOf } from '../src/backend/iotlb-table.ts';
import { MemoryTable } from '../src/backend/memory-table.ts';

const UNIT = 4096;

/** Two regions that touch in user addresses and guest addresses, but not in the arena. */
const memory = new MemoryTable(
  [0, 1].map((n) => ({
    gpa: n * 16 * UNIT,
    bytes: 16 * UNIT,
    userAddress: BigInt(n * 16 * UNIT),
    fileOffset: 0,
    mapping: { arenaOffset: (n * 64 + 1) * UNIT, bytes: 16 * UNIT, file: String(n), shrinkSealed: true },
  })),
);

const operation = fc.record({
  insert: fc.boolean(),
  page: fc.integer({ min: 0, max: 20 }),
  pages: fc.integer({ min: 1, max: 6 }),
  user: fc.integer({ min: 0, max: 31 }),
  permission: fc.integer({ min: 1, max: 3 }),
});

test('any inserts and removals translate as a list of pages would', () => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 30 }),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      (operations, page, pages, permission) => {
        const table = new IotlbTable();
        /** Per page: user page, permission and which insert it came with. */
        const model = new Map<number, { user: number; permission: number; insert: number }>();
        for (const [insert, op] of operations.entries()) {
          const touched = (n: number) => n >= op.page && n < op.page + op.pages;
          // an entry goes whole when a part of it is touched
          const gone = new Set([...model].filter(([n]) => touched(n)).map(([, value]) => value.insert));
          for (const [n, value] of model) if (gone.has(value.insert)) model.delete(n);
          if (op.insert) {
            for (let i = 0; i < op.pages; i++) {
              model.set(op.page + i, { user: op.user + i, permission: op.permission, insert });
            }
            const userAddress = BigInt(op.user * UNIT);
            table.insert({
              iova: op.page * UNIT,
              bytes: op.pages * UNIT,
              userAddress,
              permission: op.permission,
            });
          } else {
            table.remove(op.page * UNIT, op.pages * UNIT);
          }
        }
        const found = table.translate(page * UNIT, pages * UNIT, permission, memory);
        const wanted = Array.from({ length: pages }, (_, i) => model.get(page + i));
        const arena = wanted.map((one) =>
          one === undefined ? -1 : memory.translateUser(BigInt(one.user * UNIT), 1),
        );
        const good =
          wanted.every((one) => one !== undefined && (one.permission & permission) === permission) &&
          arena.every((at, i) => at !== null && at === arena[0]! + i * UNIT);
        expect('at' in found).toBe(good);
        if ('at' in found) {
          expect(found.at).toBe(arena[0]);
          expect(found.gpa).toBe(wanted[0]!.user * UNIT);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test('the oldest entry goes when the table is full', () => {
  const table = new IotlbTable(3);
  const entry = (page: number) => ({ iova: page * UNIT, bytes: UNIT, userAddress: 0n, permission: 3 });
  expect([5, 1, 9].flatMap((page) => table.insert(entry(page)))).toEqual([]);
  expect(table.insert(entry(7)).map(({ iova }) => iova)).toEqual([5 * UNIT]);
  expect(table.insert(entry(8)).map(({ iova }) => iova)).toEqual([1 * UNIT]);
  expect(table.size).toBe(3);
  expect(table.clear()).toHaveLength(3);
});

test('pieces of a translation end where regions end', () => {
  const entry = { iova: 0x100000, bytes: 4 * UNIT, userAddress: BigInt(14 * UNIT), permission: 1 };
  expect(piecesOf(entry, memory)).toEqual([
    { iova: 0x100000, bytes: 2 * UNIT, arenaOffset: 15 * UNIT, gpa: 14 * UNIT, permission: 1 },
    { iova: 0x102000, bytes: 2 * UNIT, arenaOffset: 65 * UNIT, gpa: 16 * UNIT, permission: 1 },
  ]);
  expect(piecesOf({ ...entry, bytes: 100 * UNIT }, memory)).toBeNull();
});
