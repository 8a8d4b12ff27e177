import { decodeMessage, encodeMessage } from '../codec/message.ts';
import {
  type ConfigPayload,
  EMPTY,
  type InflightPayload,
  IOTLB_INVALIDATE,
  IOTLB_UPDATE,
  type Payload,
  type PayloadOf,
  TRANSFER_LOAD,
  TRANSFER_PHASE_STOPPED,
  TRANSFER_SAVE,
  u64Payload,
  VRING_F_LOG,
} from '../codec/payload.ts';
import { type CloseReason, Connection } from '../connection/connection.ts';
import type { MessageSocket } from '../connection/message-socket.ts';
import type { Fd } from '../fd.ts';
import { type FrontName, frontMessageNamed } from '../registry/front-messages.ts';
import type { PayloadKind } from '../registry/kinds.ts';
import { PROTOCOL_F, type ProtocolFeatureName } from '../registry/protocol-features.ts';
import { F_PROTOCOL_FEATURES, virtioFeatureNames } from '../registry/virtio-features.ts';
import type { Frontend } from './frontend.ts';
import { agree, chooseProtocol } from './negotiate.ts';
import { type Answered, isUnanswered, Pending } from './pending.ts';
import { RequestChannel } from './request-channel.ts';
import {
  type Answer,
  type FrontendOptions,
  FrontendRequestError,
  type Negotiated,
  type RingConfig,
  type SharedRegion,
} from './session-api.ts';

const DEFAULT_TIMEOUT_MS = 5000;
/** SET_MEM_TABLE carries so many regions. */
const TABLE_REGIONS = 8;

interface RequestOptions {
  fds?: readonly Fd[];
  acknowledge?: boolean;
  timeoutMs?: number;
}

/** The driver's side of one vhost-user connection; see `Frontend` for what it promises. */
export class FrontendSession implements Frontend {
  readonly finished: Promise<CloseReason>;
  readonly #options: FrontendOptions;
  readonly #connection: Connection;
  readonly #pending = new Pending();
  #channel: RequestChannel | null = null;
  #negotiated: Negotiated | null = null;
  #protocolFeatures = 0n;

  /** Takes over a connected socket, whichever side connected. */
  constructor(socket: MessageSocket, options: FrontendOptions) {
    this.#options = options;
    let resolve!: (reason: CloseReason) => void;
    this.finished = new Promise((done) => {
      resolve = done;
    });
    this.#connection = new Connection(socket, {
      frame: (frame) => {
        const problem = this.#pending.take(frame);
        if (problem !== null) this.#connection.close({ why: 'violation', text: problem });
      },
      closed: (reason) => {
        this.#pending.end(reason.text);
        this.#channel?.close();
        resolve(reason);
      },
    });
  }

  get negotiated(): Negotiated {
    if (this.#negotiated === null) throw new Error('negotiate first');
    return this.#negotiated;
  }

  /** Why the connection ended; null while it is open. */
  get closed(): CloseReason | null {
    return this.#connection.closed;
  }

  async negotiate(): Promise<Negotiated> {
    if (this.#negotiated !== null) throw new Error('negotiate is for once per connection');
    const offered = await this.#number('GET_FEATURES');
    let offeredProtocol = 0n;
    if ((offered & F_PROTOCOL_FEATURES) !== 0n) {
      offeredProtocol = await this.#number('GET_PROTOCOL_FEATURES');
      const chosen = chooseProtocol(offeredProtocol, this.#options);
      await this.request('SET_PROTOCOL_FEATURES', u64Payload(chosen));
      this.#protocolFeatures = chosen;
    }
    let negotiated = agree(offered, offeredProtocol, this.#protocolFeatures, this.#options);
    if (this.has('MQ'))
      negotiated = { ...negotiated, queuePairs: Number(await this.#number('GET_QUEUE_NUM')) };
    if (this.has('CONFIGURE_MEM_SLOTS')) {
      negotiated = { ...negotiated, memSlots: Number(await this.#number('GET_MAX_MEM_SLOTS')) };
    }
    if (this.has('BACKEND_REQ')) await this.#openChannel(2 * negotiated.queuePairs);
    await this.#do('SET_OWNER', EMPTY);
    this.#negotiated = negotiated;
    return negotiated;
  }

  /** True when the protocol feature is negotiated. */
  has(name: ProtocolFeatureName): boolean {
    return (this.#protocolFeatures & PROTOCOL_F[name]) !== 0n;
  }

  async setFeatures(features: bigint): Promise<void> {
    const unoffered = features & ~this.negotiated.offered;
    if (unoffered !== 0n) throw new RangeError(`not offered: ${virtioFeatureNames(unoffered).join(', ')}`);
    await this.#do('SET_FEATURES', u64Payload(features));
  }

  async setMemory(regions: readonly SharedRegion[]): Promise<void> {
    if (regions.length <= TABLE_REGIONS) {
      const payload = { kind: 'mem-table', regions: regions.map(({ region }) => region) } as const;
      await this.#finish(
        'SET_MEM_TABLE',
        payload,
        regions.map(({ fd }) => fd),
      );
      return;
    }
    for (const region of regions) await this.addRegion(region);
  }

  async addRegion({ fd, region }: SharedRegion): Promise<void> {
    await this.#finish('ADD_MEM_REG', { kind: 'mem-region', region }, [fd]);
  }

  async removeRegion({ region }: SharedRegion): Promise<void> {
    await this.#finish('REM_MEM_REG', { kind: 'mem-region', region });
  }

  async setUpRing(ring: RingConfig): Promise<void> {
    const { index, size, base, desc, used, avail, usedLogAddress, kick, call, err } = ring;
    await this.setCall(index, call);
    await this.#vringFd('SET_VRING_ERR', index, err);
    await this.#do('SET_VRING_NUM', { kind: 'state', index, num: size });
    await this.#do('SET_VRING_BASE', { kind: 'state', index, num: base });
    const flags = usedLogAddress === null ? 0 : VRING_F_LOG;
    const logGuestAddr = usedLogAddress ?? 0n;
    await this.#do('SET_VRING_ADDR', { kind: 'addr', index, flags, desc, used, avail, logGuestAddr });
    await this.#vringFd('SET_VRING_KICK', index, kick);
  }

  async setCall(index: number, fd: Fd | null): Promise<void> {
    await this.#vringFd('SET_VRING_CALL', index, fd);
  }

  async setEnabled(index: number, on: boolean): Promise<void> {
    await this.#do('SET_VRING_ENABLE', { kind: 'state', index, num: on ? 1 : 0 });
  }

  async stopRing(index: number): Promise<number> {
    const state = await this.#ask('GET_VRING_BASE', 'state', { kind: 'state', index, num: 0 });
    if (state.index !== index)
      this.#fail('GET_VRING_BASE', `the answer is about ring ${state.index}, not ${index}`);
    return state.num;
  }

  async setStatus(status: number): Promise<void> {
    await this.#do('SET_STATUS', u64Payload(status));
  }

  async getStatus(): Promise<number> {
    return Number(await this.#number('GET_STATUS'));
  }

  async getConfig(offset: number, size: number): Promise<Uint8Array> {
    const wants = { kind: 'config', offset, size, flags: 0, region: new Uint8Array(size) } as const;
    const { region } = await this.#ask('GET_CONFIG', 'config', wants);
    if (region.length === 0)
      throw new FrontendRequestError('GET_CONFIG', 'refused', 'the back end reports an error');
    if (region.length !== size)
      this.#fail('GET_CONFIG', `the answer has ${region.length} bytes, not ${size}`);
    return region;
  }

  async setConfig({ offset, flags, region }: Omit<ConfigPayload, 'kind' | 'size'>): Promise<void> {
    await this.#do('SET_CONFIG', { kind: 'config', offset, size: region.length, flags, region });
  }

  async setMtu(bytes: number): Promise<void> {
    await this.#do('NET_SET_MTU', u64Payload(bytes));
  }

  async sendRarp(mac: Uint8Array): Promise<void> {
    await this.#do('SEND_RARP', { kind: 'mac', mac });
  }

  async resetDevice(): Promise<void> {
    await this.#finish('RESET_DEVICE', EMPTY);
  }

  async setLogBase(fd: Fd, bytes: number, offset: number): Promise<void> {
    const payload = { kind: 'log', mmapSize: BigInt(bytes), mmapOffset: BigInt(offset) } as const;
    await this.request('SET_LOG_BASE', payload, { fds: [fd] });
  }

  async getInflight(queues: number, queueSize: number): Promise<{ inflight: InflightPayload; fd: Fd }> {
    const wants = { kind: 'inflight', mmapSize: 0n, mmapOffset: 0n, numQueues: queues, queueSize } as const;
    const answer = await this.request('GET_INFLIGHT_FD', wants);
    return { inflight: answer!.payload as InflightPayload, fd: answer!.fds[0] };
  }

  async setInflight(inflight: InflightPayload, fd: Fd): Promise<void> {
    await this.#do('SET_INFLIGHT_FD', inflight, [fd]);
  }

  async updateIotlb(iova: bigint, bytes: bigint, userAddress: bigint, permission: number): Promise<void> {
    await this.#iotlb({ iova, size: bytes, uaddr: userAddress, perm: permission, type: IOTLB_UPDATE });
  }

  async invalidateIotlb(iova: bigint, bytes: bigint): Promise<void> {
    await this.#iotlb({ iova, size: bytes, uaddr: 0n, perm: 0, type: IOTLB_INVALIDATE });
  }

  async startStateTransfer(direction: 'save' | 'load', fd: Fd): Promise<Fd | null> {
    const way = direction === 'save' ? TRANSFER_SAVE : TRANSFER_LOAD;
    const payload = { kind: 'transfer', direction: way, phase: TRANSFER_PHASE_STOPPED } as const;
    const answer = await this.request('SET_DEVICE_STATE_FD', payload, { fds: [fd] });
    const { error } = answer!.payload as PayloadOf<'state-fd'>;
    if (error === 0) return answer!.fds[0] ?? null;
    for (const extra of answer!.fds) extra.close();
    throw new FrontendRequestError('SET_DEVICE_STATE_FD', 'refused', `the back end reports error ${error}`);
  }

  async checkState(): Promise<void> {
    const error = await this.#number('CHECK_DEVICE_STATE');
    if (error !== 0n) {
      throw new FrontendRequestError('CHECK_DEVICE_STATE', 'refused', `the back end reports error ${error}`);
    }
  }

  async kickInBand(index: number): Promise<void> {
    await this.request('VRING_KICK', { kind: 'state', index, num: 0 });
  }

  async request(name: FrontName, payload: Payload, options: RequestOptions = {}): Promise<Answer | null> {
    const { feature, reply, replyWhen, request } = frontMessageNamed(name);
    if (feature !== undefined && !this.has(feature)) {
      throw new FrontendRequestError(name, 'not-negotiated', `${feature} is not negotiated`);
    }
    const hasOwnReply = reply !== null && replyWhen !== 'postcopy';
    // DPDK answers IOTLB_MSG only then, and as QEMU does there is one answer all the same
    const wantsAck = options.acknowledge === true || name === 'IOTLB_MSG';
    const needReply = wantsAck && this.has('REPLY_ACK') && (!hasOwnReply || name === 'IOTLB_MSG');
    const bytes = encodeMessage({ request, payload, needReply });
    const { fds = [] } = options;
    this.#options.observer?.sent?.(decodeMessage(bytes, 'main', 'request', fds.length));
    if (!this.#connection.send(bytes, fds)) {
      throw new FrontendRequestError(
        name,
        'closed',
        this.#connection.closed?.text ?? 'the connection is closed',
      );
    }
    if (!hasOwnReply && !needReply) return null;
    const { message, fds: received } = await this.#wait(name, request, options.timeoutMs);
    const answer = { payload: message.payload!, fds: received };
    if (hasOwnReply || answer.payload.kind !== 'u64' || answer.payload.value === 0n) return answer;
    throw new FrontendRequestError(name, 'refused', `the back end answers ${answer.payload.value}`);
  }

  sendRaw(bytes: Uint8Array, fds: readonly Fd[] = []): boolean {
    return this.#connection.send(bytes, fds);
  }

  async rawAnswer(timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<Answered | null> {
    const result = await this.#pending.wait(null, 'any message', timeoutMs);
    return isUnanswered(result) ? null : result;
  }

  close(text: string): void {
    this.#connection.close({ why: 'local', text });
  }

  async #wait(name: FrontName, request: number, timeoutMs?: number): Promise<Answered> {
    const limit = timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const result = await this.#pending.wait(request, name, limit);
    if (isUnanswered(result)) throw new FrontendRequestError(name, result.failure, result.text);
    this.#options.observer?.answered?.(result.message);
    return result;
  }

  /** A message that changes something: acknowledged where REPLY_ACK is negotiated. */
  async #do(name: FrontName, payload: Payload, fds: readonly Fd[] = []): Promise<void> {
    await this.request(name, payload, { fds, acknowledge: true });
  }

  /** The same, and without REPLY_ACK a GET_FEATURES behind it: its answer comes when the message is done with. */
  async #finish(name: FrontName, payload: Payload, fds: readonly Fd[] = []): Promise<void> {
    await this.#do(name, payload, fds);
    if (!this.has('REPLY_ACK')) await this.#number('GET_FEATURES');
  }

  async #ask<K extends PayloadKind>(
    name: FrontName,
    kind: K,
    payload: Payload = EMPTY,
  ): Promise<PayloadOf<K>> {
    const answer = await this.request(name, payload);
    if (answer?.payload.kind !== kind)
      return this.#fail(name, `the answer is ${answer?.payload.kind}, not ${kind}`);
    return answer.payload as PayloadOf<K>;
  }

  async #number(name: FrontName): Promise<bigint> {
    return (await this.#ask(name, 'u64')).value;
  }

  #vringFd(
    name: 'SET_VRING_KICK' | 'SET_VRING_CALL' | 'SET_VRING_ERR',
    index: number,
    fd: Fd | null,
  ): Promise<void> {
    const payload = { kind: 'vring-fd', index, noFd: fd === null, reserved: 0n } as const;
    return this.#do(name, payload, fd === null ? [] : [fd]);
  }

  async #iotlb(fields: Omit<PayloadOf<'iotlb'>, 'kind'>): Promise<void> {
    const { value } = await this.#ask('IOTLB_MSG', 'u64', { kind: 'iotlb', ...fields });
    if (value !== 0n) throw new FrontendRequestError('IOTLB_MSG', 'refused', `the back end answers ${value}`);
  }

  async #openChannel(rings: number): Promise<void> {
    const { near, far } = this.#options.makeChannel!();
    this.#channel = new RequestChannel({
      socket: near,
      requests: this.#options.requests ?? {},
      observer: this.#options.observer ?? {},
      protocolFeatures: this.#protocolFeatures,
      rings,
    });
    try {
      await this.#do('SET_BACKEND_REQ_FD', EMPTY, [far]);
    } finally {
      far.close();
    }
  }

  /** The answer is none: the connection ends. */
  #fail(name: FrontName, text: string): never {
    this.#connection.close({ why: 'violation', text: `${name}: ${text}` });
    throw new FrontendRequestError(name, 'bad-answer', text);
  }
}
