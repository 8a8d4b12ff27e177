import { NO_U16 } from './no-arrays.ts';

/** Which slots a burst has named already: a mark that differs from burst to burst, instead of clearing. */
export class SlotMarks {
  readonly marks: Uint16Array = NO_U16;
  /** The mark of the burst at hand. */
  current = 0;

  constructor(size: number) {
    this.marks = new Uint16Array(size);
  }

  /** Begins a burst: no slot has the current mark. */
  next(): void {
    if (this.current === 0xffff) {
      this.marks.fill(0);
      this.current = 0;
    }
    this.current++;
  }
}
