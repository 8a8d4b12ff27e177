import type { FramePort } from '@vhostlab/engine';

/** A wire that is not plugged in: nothing comes, and what is sent is gone. The bridge has no port for it. */
export class NoWire implements FramePort {
  /** Frames that were sent all the same. */
  lost = 0;

  receive(): number {
    return 0;
  }

  send(): boolean {
    this.lost++;
    return true;
  }

  listen(): void {
    // nothing ever comes
  }
}
