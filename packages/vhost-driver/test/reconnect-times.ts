/** How long peers took to be together again, for people to read: nothing is asserted of a clock. */
export class ReconnectTimes {
  readonly #ms: number[] = [];

  /** From when the socket was there to when rings ran, both on the clock of `performance.now`. */
  add(readyMs: number, startedMs: number): void {
    this.#ms.push(Math.max(0, startedMs - readyMs));
  }

  /** Prints median, longest and how many took more than a second, and whatever else was counted. */
  print(title: string, counts: Readonly<Record<string, number>>): void {
    const sorted = this.#ms.toSorted((a, b) => a - b);
    const slow = sorted.filter((ms) => ms > 1000).length;
    const figures = [
      `${sorted.length} reconnections`,
      `median ${sorted[sorted.length >> 1]?.toFixed(0)} ms`,
      `longest ${sorted.at(-1)?.toFixed(0)} ms`,
      `${slow} above 1 s`,
      ...Object.entries(counts).map(([name, count]) => `${name} ${count}`),
    ];
    process.stderr.write(`${title}: ${figures.join(', ')}\n`);
  }
}
