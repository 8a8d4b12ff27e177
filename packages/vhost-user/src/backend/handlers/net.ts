import { MAX_CONFIG_BYTES } from '../../codec/layouts.ts';
import type { ConfigPayload } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import { type Handler, handle } from '../handler.ts';
import { type Refusal, refuse } from '../refusal.ts';

const MTU_LEAST = 68n;
const MTU_MOST = 65_535n;

function rangeProblem(
  name: 'GET_CONFIG' | 'SET_CONFIG',
  { offset, size, flags }: ConfigPayload,
): Refusal | null {
  const clause = clauseOf(name);
  if (size === 0 || offset + size > MAX_CONFIG_BYTES) {
    const text = `${size} bytes of configuration at ${offset}: at least 1, up to ${MAX_CONFIG_BYTES}`;
    return refuse('config-range', clause, text);
  }
  if (flags > 1) return refuse('config-range', clause, `configuration flags ${flags}: 0 and 1 are defined`);
  return null;
}

/** Configuration, MTU and announcement of a network device. */
export const NET: readonly Handler[] = [
  handle('GET_CONFIG', 'config', async (state, wants) => {
    const problem = rangeProblem('GET_CONFIG', wants);
    if (problem !== null) return problem;
    const region = new Uint8Array(wants.size);
    // what lies behind the structure reads as 0: front ends ask for the structure as they know it
    region.set(state.device.offer.config().subarray(wants.offset, wants.offset + wants.size));
    return { reply: { ...wants, region } };
  }),

  handle('SET_CONFIG', 'config', async (state, gives) => {
    const problem = rangeProblem('SET_CONFIG', gives);
    if (problem !== null) return problem;
    const refused = await state.device.writeConfig(gives.offset, gives.region, gives.flags === 1);
    return refused === null ? null : refuse('config-device', clauseOf('SET_CONFIG'), refused);
  }),

  handle('SEND_RARP', 'mac', async (state, { mac }) => {
    const refused = await state.device.rarp(mac);
    return refused === null ? null : refuse('device', clauseOf('SEND_RARP'), refused);
  }),

  handle('NET_SET_MTU', 'u64', async (state, { value }) => {
    const clause = clauseOf('NET_SET_MTU');
    if (value < MTU_LEAST || value > MTU_MOST) {
      return refuse('mtu-range', clause, `an MTU of ${value} bytes: ${MTU_LEAST} to ${MTU_MOST}`);
    }
    const refused = await state.device.mtu(Number(value));
    return refused === null ? null : refuse('device', clause, refused);
  }),
];
