import { isKickDue, untaken, wantsCalls } from './notification-due.ts';
import { distance, placeText, type QueueLook, waiting } from './queue-look.ts';

export const VERDICT_KINDS = [
  'healthy',
  'lost kick',
  'lost call',
  'back end asleep with work',
  'driver asleep with work',
  'driver not refilling',
  'broken ring',
  'unclear',
] as const;

export type VerdictKind = (typeof VERDICT_KINDS)[number];

/** `driver side`, `back-end side`: the peer, or what carries its notifications to the other one. */
export type Culprit = 'driver' | 'back end' | 'tap' | 'driver side' | 'back-end side';

/** Who owes the next move. */
export interface Verdict {
  readonly kind: VerdictKind;
  /** Null: nobody, or it cannot be told. */
  readonly culprit: Culprit | null;
  /** One sentence with the queue and its indices. */
  readonly text: string;
}

/** Descriptors that a Linux driver keeps free on a transmit queue: one frame of 17 fragments, and room. */
const TX_RESERVE = 20;

const UNSEEN =
  "whether one is pending cannot be seen, because it is not known which eventfds are the queue's";

/**
 * Says who owes the next move on one queue. Pure: everything it goes by is in `look`. What has changed between the two
 * looks is alive; blamed is only what stood still all the time between them.
 */
export function judge(look: QueueLook): Verdict {
  const { first, second, size } = look;
  const done = distance(look, first.used, second.used);
  if (first.isHidden || second.isHidden) {
    const why = 'the driver is writing a list of descriptors';
    return first.isHidden && second.isHidden ? say(look, 'unclear', null, why) : healthy(look, why);
  }
  if (done > 0) return healthy(look, `the back end used ${done} meanwhile`);
  if (waiting(look, first) > size && waiting(look) > size) {
    return say(look, 'broken ring', null, `more is available than the ${size} descriptors can hold`);
  }
  if (look.isEnabled === false) return healthy(look, 'the front end has disabled this queue');
  return look.direction === 'tx' ? judgeTransmit(look) : judgeReceive(look);
}

function judgeTransmit(look: QueueLook): Verdict {
  const { first, second } = look;
  const left = waiting(look);
  if (left === 0) {
    if (!isFullForDriver(look) || hasDriverMoved(look))
      return healthy(look, 'everything that was offered is used');
    return judgeCall(look, 'the driver has no descriptor left');
  }
  if (waiting(look, first) === 0) return healthy(look, `${left} came meanwhile`);
  if (first.deviceEvent !== second.deviceEvent || first.deviceFlags !== second.deviceFlags) {
    return healthy(look, `the back end has looked at the ring meanwhile, ${left} wait`);
  }
  if (!isKickDue(look, first)) {
    const text = `${left} wait, the back end has asked for no kick for them, and uses none`;
    return say(look, 'back end asleep with work', 'back end', text);
  }
  return judgeKick(look, left);
}

/** A kick was due before the first look, and nothing was used since. */
function judgeKick(look: QueueLook, left: number): Verdict {
  const before = look.first.kickPending;
  const now = look.second.kickPending;
  if (before === null || now === null) {
    const text = `${left} wait and a kick was due; ${UNSEEN}`;
    return say(look, 'unclear', null, text);
  }
  if (before > 0 && now > 0) {
    const text = `${left} wait, and the back end does not read the kick in its eventfd`;
    return say(look, 'back end asleep with work', 'back end', text);
  }
  if (before > 0) return healthy(look, `the back end has just taken a kick, ${left} wait`);
  if (now > 0) return healthy(look, `a kick has just come, ${left} wait`);
  const due = `${left} wait, the back end wants a kick for them, and none is pending`;
  const rule = takerOfKick(look);
  if (rule !== null) return say(look, 'lost kick', 'tap', `${due}: the tap's rule "${rule}" took it`);
  const text = `${due}: the driver did not kick, or its kick was lost on the way, or taken without a look at the ring`;
  return say(look, 'lost kick', 'driver side', text);
}

/** With EVENT_IDX a driver says how far it has come: true when from there nearly all descriptors are not its own. */
function isFullForDriver(look: QueueLook): boolean {
  const { second, size } = look;
  if (untaken(look, second) === 0) return false;
  const held = distance(look, second.driverEvent, second.avail);
  return held > size - Math.min(TX_RESERVE, size >>> 1);
}

function hasDriverMoved({ first, second }: QueueLook): boolean {
  return (
    first.avail !== second.avail ||
    first.driverEvent !== second.driverEvent ||
    first.driverFlags !== second.driverFlags
  );
}

function judgeReceive(look: QueueLook): Verdict {
  const { second } = look;
  const left = waiting(look);
  if (second.isFresh) return healthy(look, 'the driver has offered nothing yet');
  if (hasDriverMoved(look)) return healthy(look, `the driver has been here meanwhile, ${left} buffers wait`);
  const count = untaken(look, second);
  if (count > 0) return judgeCall(look, `the driver has not taken ${count} of the used`);
  if (left > 0) return healthy(look, `the back end has ${left} buffers to fill`);
  if (!look.hasEvents && wantsCalls(look, second)) return judgeCall(look, 'the back end has no buffer');
  const how = wantsCalls(look, second)
    ? 'which has taken all that was used'
    : 'which wants no calls and so has to look by itself';
  return say(
    look,
    'driver not refilling',
    'driver',
    `the back end has no buffer, and the driver, ${how}, offers none`,
  );
}

/** The driver wanted a call for what is used before the first look, and stands still since. */
function judgeCall(look: QueueLook, why: string): Verdict {
  const before = look.first.callPending;
  const now = look.second.callPending;
  if (before === null || now === null) {
    return say(look, 'unclear', null, `${why} and a call was due; ${UNSEEN}`);
  }
  if (before > 0 && now > 0) {
    const text = `${why}, and nobody reads the call in its eventfd for the driver`;
    return say(look, 'driver asleep with work', 'driver', text);
  }
  if (before > 0) return healthy(look, `${why}, a call has just been taken`);
  if (now > 0) return healthy(look, `${why}, a call has just come`);
  const due = `${why}, the driver waits for a call, and none is pending`;
  const rule = takerOfCall(look);
  if (rule !== null) return say(look, 'lost call', 'tap', `${due}: the tap's rule "${rule}" took it`);
  const text = `${due}: the back end did not call, or its call was lost on the way, or taken without a look at the ring`;
  return say(look, 'lost call', 'back-end side', text);
}

/** The rule of a tap that took the kick for what waits: some of what that kick was for is not used yet. */
function takerOfKick(look: QueueLook): string | null {
  const { tamperedKick: signal, second, size } = look;
  if (signal === null) return null;
  const count = distance(look, signal.used, signal.avail);
  return count <= size && distance(look, signal.used, second.used) < count ? signal.rule : null;
}

/** The rule of a tap that took the call which the driver waits for: it was for used entries beyond the driver's place. */
function takerOfCall(look: QueueLook): string | null {
  const { tamperedCall: signal, second, size } = look;
  if (signal === null) return null;
  if (!look.hasEvents) return signal.used === second.used ? signal.rule : null;
  const count = distance(look, second.driverEvent, signal.used);
  return count > 0 && count <= size ? signal.rule : null;
}

function healthy(look: QueueLook, why: string): Verdict {
  return say(look, 'healthy', null, why);
}

function say(look: QueueLook, kind: VerdictKind, culprit: Culprit | null, why: string): Verdict {
  const { avail, used } = look.second;
  const where = `vq${look.queue} avail ${placeText(look, avail)} used ${placeText(look, used)}`;
  return { kind, culprit, text: `${where}: ${why}` };
}
