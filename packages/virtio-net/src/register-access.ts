/** One access to a byte-addressed register file; `value` is what a write stores, 0 for reads. */
export interface RegisterAccess {
  readonly kind: 'read' | 'write';
  readonly offset: number;
  /** Bytes: 1, 2 or 4. */
  readonly width: number;
  readonly value: number;
}

/**
 * A procedure of register accesses: yields them one by one and is resumed with the value of a read (anything
 * after a write). The caller decides how an access travels: a trap, a posted write, a round trip over PCIe.
 */
export type RegisterProcedure<T> = Generator<RegisterAccess, T, number>;

/** Reads `width` bytes at `offset`. */
export function* readRegister(offset: number, width: number): RegisterProcedure<number> {
  return yield { kind: 'read', offset, width, value: 0 };
}

/** Writes the low `width` bytes of `value` at `offset`. */
export function* writeRegister(offset: number, width: number, value: number): RegisterProcedure<void> {
  yield { kind: 'write', offset, width, value };
}

/** A register file as a device offers it. */
export interface RegisterFile {
  readRegister(offset: number, width: number): number;
  writeRegister(offset: number, width: number, value: number): void;
}

/** Runs a procedure against a register file that answers at once. */
export function runAccesses<T>(procedure: RegisterProcedure<T>, registers: RegisterFile): T {
  let answer = 0;
  for (;;) {
    const step = procedure.next(answer);
    if (step.done === true) return step.value;
    const { kind, offset, width, value } = step.value;
    if (kind === 'read') answer = registers.readRegister(offset, width);
    else registers.writeRegister(offset, width, value);
  }
}
