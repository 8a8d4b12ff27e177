import {
  BACK,
  type Channel,
  type Draft,
  decodeMessage,
  EMPTY,
  encodeMessage,
  F_PROTOCOL_FEATURES,
  FRONT,
  type FrontName,
  type Message,
  type Payload,
  PROTOCOL_F,
  type Role,
  u64Payload,
} from '@vhostlab/vhost-user';
import { beforeEach, describe, expect, it } from 'vitest';
import { FLOW_RULES, FlowChecker, type FlowResult } from '../src/index.ts';

const OFFERED = (1n << 32n) | F_PROTOCOL_FEATURES | (1n << 15n);
const PROTOCOL = PROTOCOL_F.MQ | PROTOCOL_F.REPLY_ACK | PROTOCOL_F.STATUS | PROTOCOL_F.BACKEND_REQ;

function message(draft: Draft, channel: Channel, fds: number): Message {
  const role: Role = draft.role ?? 'request';
  return decodeMessage(encodeMessage(draft), channel, role, fds);
}

let flow: FlowChecker;
beforeEach(() => {
  flow = new FlowChecker();
});

function ask(name: FrontName, payload: Payload = EMPTY, options: { needReply?: boolean; fds?: number } = {}) {
  const draft = { request: FRONT[name], payload, needReply: options.needReply === true };
  return flow.frontRequest(message(draft, 'main', options.fds ?? 0));
}

function answer(name: FrontName, payload: Payload = u64Payload(0)) {
  return flow.backAnswer(message({ request: FRONT[name], payload, role: 'reply' }, 'main', 0));
}

const codes = (result: FlowResult) => result.violations.map(({ code, party }) => `${party}: ${code}`);

/** Features and protocol features as two good peers agree on them. */
function negotiate(protocol = PROTOCOL): void {
  const results = [
    ask('GET_FEATURES'),
    answer('GET_FEATURES', u64Payload(OFFERED)),
    ask('GET_PROTOCOL_FEATURES'),
    answer('GET_PROTOCOL_FEATURES', u64Payload(protocol)),
    ask('SET_PROTOCOL_FEATURES', u64Payload(protocol)),
    ask('SET_OWNER'),
    ask('SET_FEATURES', u64Payload(OFFERED)),
  ];
  expect(results.flatMap(codes)).toEqual([]);
}

describe('FlowChecker', () => {
  it('finds nothing in a good handshake, and learns from it', () => {
    negotiate();
    expect([ask('GET_QUEUE_NUM'), answer('GET_QUEUE_NUM', u64Payload(2))].flatMap(codes)).toEqual([]);
    expect(flow.state).toMatchObject({
      offered: OFFERED,
      features: OFFERED,
      protocolFeatures: PROTOCOL,
      queuePairs: 2,
    });
    const ring = { index: 3, num: 256 } as const;
    expect(codes(ask('SET_VRING_NUM', { kind: 'state', ...ring }, { needReply: true }))).toEqual([]);
    expect(codes(answer('SET_VRING_NUM'))).toEqual([]);
    ask('SET_VRING_BASE', { kind: 'state', index: 3, num: 7 });
    ask('SET_VRING_KICK', { kind: 'vring-fd', index: 3, noFd: false, reserved: 0n }, { fds: 1 });
    expect(flow.state.ring(3)).toMatchObject({ size: 256, base: 7, started: true });
    ask('GET_VRING_BASE', { kind: 'state', index: 3, num: 0 });
    const stopped = answer('GET_VRING_BASE', { kind: 'state', index: 3, num: 9 });
    expect(stopped.request?.name).toBe('GET_VRING_BASE');
    expect(flow.state.ring(3)).toMatchObject({ base: 9, started: false });
    expect(flow.unanswered).toEqual([]);
  });

  it('passes on what is wrong with a message by itself', () => {
    expect(codes(ask('SET_VRING_CALL', { kind: 'vring-fd', index: 0, noFd: false, reserved: 0n }))).toEqual([
      'front end: fd-count',
    ]);
  });

  it.each<readonly [keyof typeof FLOW_RULES, string, () => FlowResult]>([
    ['reply-unasked', 'back end', () => answer('GET_FEATURES')],
    [
      'reply-unasked',
      'back end',
      () => {
        ask('SET_OWNER');
        return answer('SET_OWNER');
      },
    ],
    [
      'reply-request',
      'back end',
      () => {
        ask('GET_FEATURES');
        ask('GET_QUEUE_NUM');
        return answer('GET_QUEUE_NUM');
      },
    ],
    ['message-feature', 'front end', () => ask('NET_SET_MTU', u64Payload(1500))],
    ['features-offered', 'front end', () => ask('SET_FEATURES', u64Payload(OFFERED | (1n << 5n)))],
    ['protocol-features-offered', 'front end', () => ask('SET_PROTOCOL_FEATURES', u64Payload(PROTOCOL | 2n))],
    [
      'ring-index',
      'front end',
      () => {
        ask('GET_QUEUE_NUM');
        answer('GET_QUEUE_NUM', u64Payload(1));
        return ask('SET_VRING_NUM', { kind: 'state', index: 2, num: 256 });
      },
    ],
    ['ring-index', 'front end', () => ask('SET_VRING_BASE', { kind: 'state', index: 0x10000, num: 0 })],
    ['ring-size', 'front end', () => ask('SET_VRING_NUM', { kind: 'state', index: 0, num: 300 })],
    ['ring-size', 'front end', () => ask('SET_VRING_NUM', { kind: 'state', index: 0, num: 0 })],
    ['ring-base', 'front end', () => ask('SET_VRING_BASE', { kind: 'state', index: 0, num: 65536 })],
  ])('names %s of the %s', (code, party, play) => {
    negotiate();
    const result = play();
    expect(codes(result)).toEqual([`${party}: ${code}`]);
    expect(result.violations[0].clause).toMatch(/^vhost-user, /);
  });

  it('names answers with other flags than peers demand', () => {
    negotiate();
    ask('GET_FEATURES');
    const bytes = encodeMessage({ request: FRONT.GET_FEATURES, payload: u64Payload(1), role: 'reply' });
    bytes[4] = 0xd;
    expect(codes(flow.backAnswer(decodeMessage(bytes, 'main', 'reply')))).toEqual([
      'back end: reserved-flags',
    ]);
  });

  it('names need_reply without REPLY_ACK, whether it is answered or not', () => {
    negotiate(PROTOCOL_F.MQ);
    expect(codes(ask('SET_OWNER', EMPTY, { needReply: true }))).toEqual(['front end: need-reply-feature']);
    expect(codes(answer('SET_OWNER'))).toEqual([]);
    ask('SET_OWNER', EMPTY, { needReply: true });
    expect(flow.unanswered).toEqual([]);
  });

  it('names protocol features that lack what they need', () => {
    negotiate(PROTOCOL | PROTOCOL_F.INBAND_NOTIFICATIONS);
    const value = PROTOCOL_F.INBAND_NOTIFICATIONS | PROTOCOL_F.BACKEND_REQ;
    expect(codes(ask('SET_PROTOCOL_FEATURES', u64Payload(value)))).toEqual([
      'front end: protocol-features-requirements',
    ]);
  });

  it('follows the channel of the back end', () => {
    negotiate();
    const request = {
      request: BACK.IOTLB_MSG,
      payload: { kind: 'iotlb', iova: 0n, size: 1n, uaddr: 0n, perm: 1, type: 1 },
    } as const;
    const asked = flow.backRequest(message({ ...request, needReply: true }, 'backend', 0));
    expect(codes(asked)).toEqual([]);
    expect(flow.unanswered).toEqual(['BACKEND_IOTLB_MSG']);
    const reply = { request: BACK.IOTLB_MSG, payload: u64Payload(0), role: 'reply' } as const;
    expect(codes(flow.frontAnswer(message(reply, 'backend', 0)))).toEqual([]);
    expect(codes(flow.frontAnswer(message(reply, 'backend', 0)))).toEqual(['front end: reply-unasked']);
  });

  it('knows when guest memory must not be read', () => {
    negotiate(PROTOCOL | PROTOCOL_F.PAGEFAULT);
    ask('POSTCOPY_ADVISE');
    flow.backAnswer(message({ request: FRONT.POSTCOPY_ADVISE, payload: EMPTY, role: 'reply' }, 'main', 1));
    expect(flow.state.isPostcopy).toBe(false);
    ask('POSTCOPY_LISTEN');
    expect(flow.state.isPostcopy).toBe(true);
    ask('POSTCOPY_END');
    expect(flow.state.isPostcopy).toBe(true);
    answer('POSTCOPY_END');
    expect(flow.state.isPostcopy).toBe(false);
  });

  it('stops rings with the status, and by reset', () => {
    negotiate(PROTOCOL | PROTOCOL_F.RESET_DEVICE);
    for (const stop of [
      () => ask('SET_STATUS', u64Payload(0)),
      () => ask('RESET_DEVICE'),
      () => ask('RESET_OWNER'),
    ]) {
      ask('SET_VRING_KICK', { kind: 'vring-fd', index: 0, noFd: true, reserved: 0n });
      expect(flow.state.ring(0).started).toBe(true);
      stop();
      expect(flow.state.ring(0).started).toBe(false);
    }
  });

  it('has a sentence for each rule', () => {
    for (const rule of Object.values(FLOW_RULES)) expect(rule).toMatch(/^[a-z].*[a-z]$/);
  });
});
