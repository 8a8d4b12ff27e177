/** A service process ended or could not be reached; the run is incomplete. */
export class ServiceLostError extends Error {
  override readonly name = 'ServiceLostError';
  readonly exitCode = 3;
}
