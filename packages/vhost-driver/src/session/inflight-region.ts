import type { Fd } from '@vhostlab/host';
import { type FrontendSession, type InflightPayload, PROTOCOL_F } from '@vhostlab/vhost-user';
import { FrontendError } from '../errors.ts';

/**
 * The region in which a back end notes the buffers that it has in flight: asked of the first one, kept, and handed to
 * whoever comes next (vhost-user, "Inflight I/O tracking").
 */
export class InflightRegion {
  #kept: { readonly inflight: InflightPayload; readonly fd: Fd } | undefined;

  /** Before rings are set up. Throws a FrontendError: the back end has no such thing. */
  async hand(session: FrontendSession, queues: number, queueSize: number): Promise<void> {
    if ((session.negotiated.protocolFeatures & PROTOCOL_F.INFLIGHT_SHMFD) === 0n) {
      throw new FrontendError('the back end does not offer INFLIGHT_SHMFD: leave out inflight.');
    }
    if (this.#kept === undefined) this.#kept = await session.getInflight(queues, queueSize);
    await session.setInflight(this.#kept.inflight, this.#kept.fd);
  }

  /** The rings begin anew: what was noted is void. */
  forget(): void {
    this.#kept?.fd.close();
    this.#kept = undefined;
  }
}
