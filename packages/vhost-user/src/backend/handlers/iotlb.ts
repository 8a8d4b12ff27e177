import { IOTLB_INVALIDATE, IOTLB_UPDATE, type Iotlb, u64Payload } from '../../codec/payload.ts';
import { clauseOf } from '../../codec/problem.ts';
import { BackendChannel } from '../backend-channel.ts';
import type { BackendState } from '../backend-state.ts';
import { type Handler, handle, type Outcome } from '../handler.ts';
import { forgotten, type IotlbEntry, piecesOf } from '../iotlb-table.ts';
import { refuse } from '../refusal.ts';
import { applyPlacements, changedPlacements, startAllReady } from '../ring-control.ts';

const IOVA_LIMIT = 2n ** 53n;
const CLAUSE = clauseOf('IOTLB_MSG');

async function invalidate(state: BackendState, entries: readonly IotlbEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const rings = changedPlacements(state);
  await state.device.iotlb({ kind: 'invalidate', ranges: entries.map(forgotten), rings });
  applyPlacements(state, rings);
}

async function update(state: BackendState, { iova, size, uaddr, perm }: Iotlb): Promise<Outcome> {
  if (size === 0n || iova + size > IOVA_LIMIT || uaddr + size > 2n ** 64n || perm < 1 || perm > 3) {
    const text = `a translation of 0x${size.toString(16)} bytes at 0x${iova.toString(16)} with permission ${perm}`;
    return refuse('iotlb-range', CLAUSE, `${text} cannot be`);
  }
  const entry = { iova: Number(iova), bytes: Number(size), userAddress: uaddr, permission: perm };
  const ranges = piecesOf(entry, state.memory);
  if (ranges === null) {
    const text = `user address 0x${uaddr.toString(16)} with 0x${size.toString(16)} bytes is not shared memory`;
    return refuse('iotlb-unmapped', CLAUSE, text);
  }
  // what it replaces is forgotten first, so that no address has two places
  await invalidate(state, state.iotlb.remove(entry.iova, entry.bytes));
  const evicted = state.iotlb.insert(entry);
  const rings = changedPlacements(state);
  await state.device.iotlb({ kind: 'update', ranges, rings });
  applyPlacements(state, rings);
  state.channel?.translated(entry.iova, entry.bytes);
  await invalidate(state, evicted);
  await startAllReady(state);
  return null;
}

/** The socket for back-end requests, and the translations that are asked for on it. */
export const IOTLB: readonly Handler[] = [
  handle('SET_BACKEND_REQ_FD', 'empty', async (state, _payload, fds) => {
    const fd = fds.peek(0)!;
    const socket = state.openChannel(fd);
    if (typeof socket === 'string') return refuse('channel-fd', clauseOf('SET_BACKEND_REQ_FD'), socket);
    fds.take(0);
    state.channel?.close();
    state.channel = new BackendChannel(socket, state.hasProtocol('REPLY_ACK'), (text) =>
      state.observer.note?.(text),
    );
    return null;
  }),

  handle('IOTLB_MSG', 'iotlb', async (state, message) => {
    if (!state.usesIotlb) return refuse('iotlb-type', CLAUSE, 'ACCESS_PLATFORM was not negotiated');
    let outcome: Outcome;
    if (message.type === IOTLB_UPDATE) {
      outcome = await update(state, message);
    } else if (message.type === IOTLB_INVALIDATE) {
      const end = message.iova + message.size;
      const iova = Number(message.iova < IOVA_LIMIT ? message.iova : IOVA_LIMIT);
      const bytes = Number(end < IOVA_LIMIT ? end : IOVA_LIMIT) - iova;
      await invalidate(state, state.iotlb.remove(iova, bytes));
      outcome = null;
    } else {
      outcome = refuse('iotlb-type', CLAUSE, `type ${message.type} is not for a back end: 2 and 3 are`);
    }
    return outcome ?? { reply: u64Payload(0) };
  }),
];
