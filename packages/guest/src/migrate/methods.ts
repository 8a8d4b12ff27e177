/** On `route.<guest>.<pair>`, from the VMM to a vCPU, beside those of instances: note pages that are written from now on. */
export const ROUTE_WATCH = 3;
/** Give the pages written since, as the bytes of a dirty log, and note on. */
export const ROUTE_WRITTEN = 4;
/** Stand still: nothing of the guest runs on this vCPU any more. */
export const ROUTE_PAUSE = 5;
/** Go on; `body[0]` 1: on the memory of the host that the guest has arrived at. */
export const ROUTE_RESUME = 6;

/** On `migration.<guest>` from the migration thread to the VMM: log what is written. An answer above 0 has the reason. */
export const MIGRATION_BEGIN = 1;
/** What was written since: two dirty logs of equal length, of the vCPUs and of the back end. */
export const MIGRATION_WRITTEN = 2;
/** Stop the guest and the back end; answered like the one before, behind the moment at which the guest stood still. */
export const MIGRATION_STOP = 3;
/** Memory has arrived: the device and the guest go on there; answered with the moment at which the guest did. */
export const MIGRATION_GO_ON = 4;

/** Status of an answer to MIGRATION_BEGIN: it has begun, behind shadow virtqueues. Above it: refused. */
export const SHADOWED = 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A sentence as the body of an answer. */
export function sentence(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The sentence in a body. */
export function sentenceOf(body: Uint8Array): string {
  return decoder.decode(body);
}

/** A moment of virtual time as the beginning of a body. */
export function moment(atPs: number): Uint8Array {
  return new Uint8Array(Float64Array.of(atPs).buffer);
}

/** The moment at the beginning of a body. */
export function momentOf(body: Uint8Array): number {
  return new DataView(body.buffer, body.byteOffset).getFloat64(0, true);
}
