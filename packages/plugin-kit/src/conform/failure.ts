/** The plugin did not do what is required; the message says what it did. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
}

/** The plugin does not claim what the check needs, or it cannot be told here; the message says why. */
export class NotClaimed extends Error {
  override readonly name = 'NotClaimed';
}

/** Throws CheckFailure with `observed` unless `holds`. */
export function must(holds: boolean, observed: string): void {
  if (!holds) throw new CheckFailure(observed);
}
