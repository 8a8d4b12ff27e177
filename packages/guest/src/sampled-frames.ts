import type { Recorder } from '@vhostlab/engine';

/** Frames of the current burst whose events are kept. */
export class SampledFrames {
  count = 0;
  readonly packet: Float64Array;
  readonly gpa: Float64Array;
  readonly length: Uint32Array;

  /** `capacity`: most frames that one burst has. */
  constructor(capacity: number) {
    this.packet = new Float64Array(capacity);
    this.gpa = new Float64Array(capacity);
    this.length = new Uint32Array(capacity);
  }

  add(packet: number, gpa: number, length: number): void {
    const i = this.count++;
    this.packet[i] = packet;
    this.gpa[i] = gpa;
    this.length[i] = length;
  }

  /** One event of every frame, at the moment that the core has reached. */
  record(recorder: Recorder, stage: number): void {
    for (let i = 0; i < this.count; i++) {
      recorder.event(stage, this.packet[i], this.gpa[i], this.length[i]);
    }
  }
}
