import { type CoreStatistics, OPS } from '@vhostlab/engine';

/** Who pays for a stage: the guest's vCPUs, the host's cores, or the NIC and the wire. */
export type StageAccount = 'guest' | 'host' | 'hardware';

/** Time of one stage. */
export interface StageShare {
  stage: string;
  account: StageAccount;
  nsPerPacket: number;
}

/** Polls that found nothing, whatever they polled: time that a busier run would use. */
export const IDLE_POLL = 'idle poll';

const STAGE_OF_OP = new Map(OPS.map(({ op, stage }) => [op, op.endsWith('.poll_empty') ? IDLE_POLL : stage]));
/** Stages in the order of OPS, which is that of a packet's way; idle polls come last. */
const STAGES = [...new Set([...OPS.map(({ stage }) => stage), IDLE_POLL])];
const ACCOUNTS: readonly StageAccount[] = ['guest', 'host', 'hardware'];

/**
 * Where the time goes: nanoseconds per packet of every stage, by who pays, from what the meters counted for
 * *all* packets (not only the sampled ones). `packets` is the number of packets delivered. Ordered by account
 * and by the packet's way; stages without time are left out. Hardware overlaps its stages, so their sum may be
 * longer than a packet's time.
 */
export function stageShares(
  cores: readonly Pick<CoreStatistics, 'account' | 'ops'>[],
  packets: number,
): StageShare[] {
  const spentPs = new Map<string, number>();
  for (const { account, ops } of cores) {
    const payer = account === 'none' ? 'hardware' : account;
    for (const [op, { ps }] of Object.entries(ops)) {
      const stage = STAGE_OF_OP.get(op);
      if (stage === undefined) throw new Error(`no operation named ${op}`);
      const key = `${payer} ${stage}`;
      spentPs.set(key, (spentPs.get(key) ?? 0) + ps);
    }
  }
  return ACCOUNTS.flatMap((account) =>
    STAGES.map((stage) => {
      const ps = spentPs.get(`${account} ${stage}`) ?? 0;
      return { stage, account, nsPerPacket: packets > 0 ? ps / 1000 / packets : 0 };
    }).filter(({ nsPerPacket }) => nsPerPacket > 0),
  );
}
