/**
 * A failure that is told in one sentence. `exitCode` 2: the operator's doing (an option, a file, no such socket);
 * 1: the run failed (the back end refused something, went away, corrupted frames).
 */
export class FrontendError extends Error {
  override readonly name = 'FrontendError';
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}
