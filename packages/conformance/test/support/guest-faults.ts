import type { Message } from '@vhostlab/vhost-user';
import type { SocketFaults, SocketState } from './faults.ts';

/** Faults of the driver. */
export interface DriverFaults {
  /** A violation of its rings, by its name, ends it. */
  readonly diesOf?: string;
  /** A received frame that is shorter than its header ends it. */
  readonly diesOfShortFrames?: boolean;
}

/** One way in which a front end is wrong. */
export interface GuestFault {
  /** What it does with replies. */
  readonly replies?: SocketFaults;
  /** What it does with requests of the back end. */
  readonly channel?: SocketFaults;
  readonly driver?: DriverFaults;
  /** It does not connect again when a back end was wrong. */
  readonly sulks?: boolean;
}

const isWrong = ({ problems }: Message): boolean => problems.length > 0;
const isAnswer = ({ header }: Message, { asked }: SocketState): boolean => asked[0] === header.request;

/** A flood of requests that ends a front end which keeps them all. */
const FLOOD = 1000;

/** Every mutant of our front end by its name. */
export const GUEST_FAULTS = {
  'dies of malformed replies': { replies: { decide: (reply) => (isWrong(reply) ? 'die' : 'pass') } },
  'dies of other replies': {
    replies: { decide: (reply, state) => (isAnswer(reply, state) ? 'pass' : 'die') },
  },
  'dies of huge replies': { replies: { diesOfSizes: true } },
  'dies of halves of replies': { replies: { diesOfHalves: true } },
  'dies of silence': { replies: { diesOfSilence: true } },
  'never connects again': { sulks: true },
  'ignores refusals': {
    replies: {
      rewrite: (bytes, { name }) => {
        if (name === 'SET_MEM_TABLE') bytes.fill(0, 12);
      },
    },
  },
  'keeps descriptors of replies': { replies: { keepsDescriptors: true } },
  'acknowledges requests': { channel: { decide: () => 'acknowledge' } },
  'silent about requests': { channel: { decide: () => 'drop' } },
  'believes sizes of requests': { channel: { believesSizes: true } },
  'hoards requests': { channel: { decide: (_request, { count }) => (count >= FLOOD ? 'die' : 'drop') } },
  'dies of used ids': { driver: { diesOf: 'used_id' } },
  'dies of used lengths': { driver: { diesOf: 'used_length' } },
  'dies of used jumps': { driver: { diesOf: 'used_jump' } },
  'dies of short frames': { driver: { diesOfShortFrames: true } },
} as const satisfies Readonly<Record<string, GuestFault>>;

export type GuestFaultName = keyof typeof GUEST_FAULTS;
