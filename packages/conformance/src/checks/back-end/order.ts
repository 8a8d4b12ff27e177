import {
  CLAUSE,
  clauseOf,
  F_LOG_ALL,
  F_PROTOCOL_FEATURES,
  PROTOCOL_F,
  protocolMask,
} from '@vhostlab/vhost-user';
import { feature } from '../../bench/feature.ts';
import { vringFd } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed, passed } from '../../report/verdict.ts';
import { accepted, refused, survived } from '../../wire/reaction.ts';
import { accepts, check, refuses, survives } from './define.ts';

const STATES = 'vhost-user, Ring states';
const SET_FEATURES = clauseOf('SET_FEATURES');
const state = (index: number, num: number) => ({ kind: 'state', index, num }) as const;
const word = (value: bigint) => ({ kind: 'u64', value }) as const;

/** Messages in any order, as real front ends send them and as they should not (item 18). */
export const ORDER: readonly BackEndCheck[] = [
  survives(
    {
      id: 'order.kick-first',
      title: 'SET_VRING_KICK before size, addresses and memory',
      item: 18,
      clause: STATES,
      basis: 'robustness',
    },
    async (bench) => {
      const link = await bench.link();
      const kick = bench.event(1);
      return link.react({ request: 'SET_VRING_KICK', payload: vringFd(0), fds: [kick] });
    },
  ),
  accepts(
    {
      id: 'order.enable-first',
      title: 'SET_VRING_ENABLE before SET_FEATURES and any ring, as QEMU sends it',
      item: 18,
      clause: STATES,
    },
    async (bench) => {
      const link = await bench.unfinished();
      await link.must({ request: 'SET_VRING_ENABLE', payload: state(0, 1) });
      return link.react({ request: 'SET_VRING_ENABLE', payload: state(0, 1) });
    },
  ),
  accepts(
    {
      id: 'order.call-before-features',
      title: 'SET_VRING_CALL before SET_FEATURES, as virtio-user sends it',
      item: 18,
      clause: STATES,
    },
    async (bench) => {
      const link = await bench.unfinished();
      return link.react({ request: 'SET_VRING_CALL', payload: vringFd(0), fds: [bench.event()] });
    },
  ),
  check(
    {
      id: 'order.base-before-start',
      title: 'GET_VRING_BASE of a ring that never started, twice',
      item: 18,
      clause: clauseOf('GET_VRING_BASE'),
      requirement: 'A back end answers with the ring and the same base both times.',
    },
    async (bench) => {
      const link = await bench.link();
      const question = { request: 'GET_VRING_BASE', payload: state(0, 0) } as const;
      const first = await link.ask(question, 'state');
      const second = await link.ask(question, 'state');
      if (first.index !== 0 || second.index !== 0) return failed(`ring ${first.index}, then ${second.index}`);
      if (first.num !== second.num) return failed(`base ${first.num}, then ${second.num}`);
      return passed(`base ${first.num}`);
    },
  ),
  check(
    {
      id: 'order.base-after-traffic',
      title: 'GET_VRING_BASE after a frame, twice',
      item: 18,
      clause: clauseOf('GET_VRING_BASE'),
      requirement: 'A back end stops the ring and answers where it is, both times the same.',
      needs: ['traffic'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      if (!(await rig.transmit(rig.tx()))) return failed('a good frame is not used');
      const question = { request: 'GET_VRING_BASE', payload: state(1, 0) } as const;
      const first = await rig.link.ask(question, 'state');
      const second = await rig.link.ask(question, 'state');
      if (first.num !== 1 || second.num !== 1) return failed(`base ${first.num}, then ${second.num}, not 1`);
      rig.change(() => rig.tx().offer([rig.frame()]));
      rig.tx().kick();
      await rig.settles(rig.tx(), bench.limits.pauseMs);
      rig.judge();
      return rig.tx().outstanding === 0
        ? failed('uses buffers of a stopped ring')
        : passed('base 1, stopped');
    },
  ),
  check(
    {
      id: 'order.restart',
      title: 'a ring stopped and started again where it was',
      item: 18,
      clause: STATES,
      requirement: 'A back end goes on with the next buffer.',
      needs: ['traffic'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      if (!(await rig.transmit(rig.tx()))) return failed('a good frame is not used');
      const started = accepted(await rig.restart(rig.tx()));
      if (started.verdict !== 'passed') return started;
      const isUsed = await rig.transmit(rig.tx());
      rig.judge();
      return isUsed ? passed('goes on') : failed('nothing is used any more');
    },
  ),
  check(
    {
      id: 'order.features-without-bit-30',
      title: 'SET_FEATURES without VHOST_USER_F_PROTOCOL_FEATURES, and no SET_VRING_ENABLE',
      item: 18,
      clause: STATES,
      requirement: 'A back end enables every ring by itself.',
      needs: ['traffic', 'echo'],
    },
    async (bench) => {
      const rig = await bench.rig({ format: 'split', pairs: 1 });
      const { link, memory, queues } = rig;
      const features = bench.features & ~F_PROTOCOL_FEATURES;
      await link.must({ request: 'SET_FEATURES', payload: word(features) });
      await link.must({ request: 'SET_MEM_TABLE', payload: memory.table, fds: memory.fds });
      for (const queue of queues) {
        await link.must({
          request: 'SET_VRING_CALL',
          payload: vringFd(queue.index),
          fds: [queue.events.call],
        });
        await rig.startRing(queue);
      }
      if ((link.protocol & PROTOCOL_F.STATUS) !== 0n) await rig.setStatus(15);
      memory.remember();
      if (!(await rig.transmit(rig.tx()))) return failed('nothing is used');
      // a disabled transmit queue is emptied too: what tells is the receive queue
      const isFed = await rig.until(() => rig.rx().collect().length > 0);
      return isFed ? passed('runs') : failed('the receive queue gets nothing');
    },
  ),
  check(
    {
      id: 'order.log-bit-while-running',
      title: 'VHOST_F_LOG_ALL set and cleared while rings run',
      item: 18,
      clause: SET_FEATURES,
      requirement: 'A back end takes it and the rings go on.',
      needs: ['traffic'],
      protocol: ['LOG_SHMFD'],
      features: F_LOG_ALL,
    },
    async (bench) => {
      const rig = await bench.rig({ format: 'split', pairs: 1 });
      const { link } = rig;
      await rig.start();
      const log = { kind: 'log', mmapSize: 0x10000n, mmapOffset: 0n } as const;
      await link.tryAsk({ request: 'SET_LOG_BASE', payload: log, fds: [bench.file(0x10000)] });
      for (const on of [true, false]) {
        const value = on ? link.acked | F_LOG_ALL : link.acked & ~F_LOG_ALL;
        await link.must({ request: 'SET_FEATURES', payload: word(value) });
        if (!(await rig.transmit(rig.tx())))
          return failed(`nothing is used with the log ${on ? 'on' : 'off'}`);
      }
      rig.judge();
      return passed('the rings go on');
    },
  ),
  check(
    {
      id: 'order.features-while-running',
      title: 'SET_FEATURES with other bits while rings run',
      item: 18,
      clause: SET_FEATURES,
      basis: 'robustness',
      requirement: 'A back end takes or refuses it, and the rings go on or stop; nothing else is written.',
      mayClose: true,
      needs: ['traffic'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const value = rig.link.acked & ~feature('VERSION_1');
      const outcome = survived(await rig.link.react({ request: 'SET_FEATURES', payload: word(value) }));
      if (outcome.verdict === 'passed') await rig.transmit(rig.tx());
      rig.judge();
      return outcome;
    },
  ),
  refuses(
    {
      id: 'order.features-unoffered',
      title: 'SET_FEATURES with a bit that was not offered',
      item: 18,
      clause: SET_FEATURES,
    },
    async (bench) => {
      const link = await bench.unfinished();
      const unoffered = 1n << 63n;
      return link.react({ request: 'SET_FEATURES', payload: word(bench.features | unoffered) });
    },
  ),
  check(
    {
      id: 'order.protocol-unoffered',
      title: 'SET_PROTOCOL_FEATURES with a bit that was not offered',
      item: 18,
      clause: clauseOf('SET_PROTOCOL_FEATURES'),
      requirement: 'A back end refuses it or closes the connection.',
      mayClose: true,
      protocol: ['REPLY_ACK'],
    },
    async (bench) => {
      const link = await bench.link();
      const value = link.protocol | (1n << 63n);
      return refused(await link.react({ request: 'SET_PROTOCOL_FEATURES', payload: word(value) }));
    },
  ),
  check(
    {
      id: 'order.inband-without-requirements',
      title: 'INBAND_NOTIFICATIONS acknowledged without BACKEND_REQ',
      item: 18,
      clause: 'vhost-user, VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS',
      requirement: 'A back end closes the connection.',
      mayClose: true,
      protocol: ['INBAND_NOTIFICATIONS', 'REPLY_ACK'],
    },
    async (bench) => {
      const link = await bench.connect();
      await link.negotiateProtocol(protocolMask('REPLY_ACK'));
      const value = protocolMask('REPLY_ACK', 'INBAND_NOTIFICATIONS');
      return refused(await link.react({ request: 'SET_PROTOCOL_FEATURES', payload: word(value) }));
    },
  ),
  accepts(
    {
      id: 'order.owner-twice',
      title: 'SET_OWNER twice, as QEMU sends it for each queue pair',
      item: 18,
      clause: CLAUSE.payload,
      basis: 'robustness',
    },
    async (bench) => (await bench.link()).react({ request: 'SET_OWNER' }),
  ),
  check(
    {
      id: 'mem.table-while-running',
      title: 'the same memory table again while rings run',
      item: 14,
      clause: clauseOf('SET_MEM_TABLE'),
      requirement: 'A back end takes it and the rings go on.',
      needs: ['traffic'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const { link, memory } = rig;
      for (let i = 0; i < 3; i++) {
        await link.must({ request: 'SET_MEM_TABLE', payload: memory.table, fds: memory.fds });
        if (!(await rig.transmit(rig.tx()))) return failed('nothing is used any more');
      }
      rig.judge();
      return passed('the rings go on');
    },
  ),
  check(
    {
      id: 'mem.remove-live-ring',
      title: 'the region that holds a running ring removed and added again',
      item: 14,
      clause: clauseOf('REM_MEM_REG'),
      requirement: 'A back end refuses it, or uses nothing in between and goes on when the region is back.',
      mayClose: true,
      needs: ['traffic'],
      protocol: ['CONFIGURE_MEM_SLOTS'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const { link, memory } = rig;
      const [region] = memory.regions;
      const payload = { kind: 'mem-region', region } as const;
      const outcome = survived(await link.react({ request: 'REM_MEM_REG', payload }));
      if (outcome.verdict !== 'passed') return outcome;
      const id = rig.change(() => rig.tx().offer([rig.frame()]));
      const early = await rig.completes(rig.tx(), id, bench.limits.pauseMs);
      if (early)
        return outcome.observed.startsWith('reply 0') ? failed('uses memory that was taken away') : outcome;
      await link.must({ request: 'ADD_MEM_REG', payload, fds: [memory.fds[0]] });
      const late = await rig.completes(rig.tx(), id);
      rig.judge();
      return late ? passed('pauses, and goes on') : failed('nothing is used after the region is back');
    },
  ),
];
