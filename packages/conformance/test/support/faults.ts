import { type Fd, FRONT, type Message } from '@vhostlab/vhost-user';
import { isConsistent, isEventFd } from './look.ts';

/** Faults of rings and memory. */
export interface DeviceFaults {
  /** What happens when a driver breaks a ring; `tell`: the error eventfd and DEVICE_NEEDS_RESET. */
  readonly onViolation?: 'tell' | 'silent' | 'die' | 'stop-all';
  /** A chain that cannot be carried out stops its queue, silently. */
  readonly sticksOnBadChain?: boolean;
  /** Only chains of one piece are understood. */
  readonly plainOnly?: boolean;
  readonly noIndirect?: boolean;
  readonly sticksOnOddFrames?: boolean;
  readonly sticksOnOddEvents?: boolean;
  readonly writesOutside?: boolean;
  readonly usesStrangers?: boolean;
  readonly neverCalls?: boolean;
  readonly trustsUsedIdx?: boolean;
  readonly readsTwice?: boolean;
  readonly waitsForCalls?: boolean;
  readonly diesOfBrokenCalls?: boolean;
  /** Kicks that bring nothing end it, the third time. */
  readonly diesOfNeedlessKicks?: boolean;
  /** A descriptor whose AVAIL and USED bits are of no driver that begins. */
  readonly diesOfUnavailable?: boolean;
  /** Two buffers in a row under one id. */
  readonly diesOfTwice?: boolean;
  readonly stopsOnEmptyKick?: boolean;
  readonly driftsBase?: boolean;
  readonly keepsStoppedRings?: boolean;
  readonly forgetsRestart?: boolean;
  readonly stopsOnLog?: boolean;
  readonly stopsOnMemory?: boolean;
  /** Only the first region of the memory is known. */
  readonly knowsOneRegion?: boolean;
  readonly loadsAnything?: boolean;
}

/** What to do with one message instead of handing it to the session; `echo`: its payload is the reply. */
export type Deed = 'pass' | 'acknowledge' | 'drop' | 'close' | 'die' | 'refuse' | 'echo';

/** Faults between the socket and the session. */
export interface SocketFaults {
  /** Decides about each message that comes. */
  readonly decide?: (message: Message, state: SocketState, fds: readonly Fd[]) => Deed;
  /** Changes a message that comes, in place. */
  readonly rewrite?: (bytes: Uint8Array, message: Message) => void;
  /** Changes a reply in place; `drop`: it does not go out, `twice`: it does twice. */
  readonly reply?: (bytes: Uint8Array, request: number) => 'drop' | 'twice' | undefined;
  /** Answers messages of this name that did not ask for it. */
  readonly answersUnasked?: string;
  /** Keeps a copy of every descriptor that comes. */
  readonly keepsDescriptors?: boolean;
  /** Opens a file for each message, and never closes it. */
  readonly hoards?: boolean;
  /** A message has to come in one read. */
  readonly needsWholeMessages?: boolean;
  /** Waits for as many bytes as the header says. */
  readonly believesSizes?: boolean;
  /** Ends, as a crash would, when the peer closes inside a message. */
  readonly diesOfHalves?: boolean;
  /** Ends when the peer closes before it has answered. */
  readonly diesOfSilence?: boolean;
  /** Ends when a header promises more than there is memory. */
  readonly diesOfSizes?: boolean;
  /** Ends when a connection was closed without a message, the hundredth time. */
  readonly diesOfConnections?: boolean;
}

/** What a mutant remembers of one connection. */
export interface SocketState {
  /** Names of the messages that came. */
  readonly seen: Set<string>;
  /** How many came. */
  count: number;
  /** Numbers of the requests that were sent and have no answer yet, oldest first. */
  readonly asked: number[];
}

/** One way in which a back end is wrong. */
export interface Fault {
  readonly device?: DeviceFaults;
  readonly socket?: SocketFaults;
  /** Takes any descriptor for an eventfd. */
  readonly takesAnyEventFd?: boolean;
}

const isWrong = ({ problems }: Message): boolean => problems.length > 0;

/** Every mutant by its name. */
export const FAULTS = {
  'acknowledges everything': {
    socket: {
      reply: (bytes) => {
        if (bytes.length === 20 && bytes[12] === 1) bytes.fill(0, 12);
        return undefined;
      },
    },
  },
  'acknowledges malformed messages': {
    socket: { decide: (message) => (isWrong(message) ? 'acknowledge' : 'pass') },
  },
  'ignores malformed messages': { socket: { decide: (message) => (isWrong(message) ? 'drop' : 'pass') } },
  'dies of malformed messages': { socket: { decide: (message) => (isWrong(message) ? 'die' : 'pass') } },
  'answers unasked': { socket: { answersUnasked: 'SET_OWNER' } },
  'keeps descriptors': { socket: { keepsDescriptors: true } },
  'needs whole messages': { socket: { needsWholeMessages: true } },
  'answers a question once': {
    socket: {
      decide: ({ name }, { seen }) =>
        name === 'GET_PROTOCOL_FEATURES' && seen.has('SET_FEATURES') ? 'drop' : 'pass',
    },
  },
  'believes sizes': { socket: { believesSizes: true } },
  'dies of halves': { socket: { diesOfHalves: true } },
  'dies of connections': { socket: { diesOfConnections: true } },
  'answers for another ring': {
    socket: {
      reply: (bytes, request) => {
        if (request === FRONT.GET_VRING_BASE) bytes[12] ^= 1;
        return undefined;
      },
    },
  },
  'answers for any ring': {
    socket: {
      decide: ({ name, payload }) =>
        name === 'GET_VRING_BASE' && payload?.kind === 'state' && payload.index >= 4 ? 'echo' : 'pass',
    },
  },
  hoards: { socket: { hoards: true } },
  'dies of odd eventfds': {
    socket: {
      decide: ({ name }, _state, fds) =>
        (name === 'SET_VRING_KICK' || name === 'SET_VRING_CALL') && fds.some((fd) => !isEventFd(fd))
          ? 'die'
          : 'pass',
    },
  },
  'dies of empty tables': {
    socket: {
      decide: ({ payload }) =>
        payload?.kind === 'mem-table' && payload.regions.length === 0 ? 'die' : 'pass',
    },
  },
  'dies of early kicks': {
    socket: {
      decide: ({ name }, { seen }) =>
        name === 'SET_VRING_KICK' && !seen.has('SET_VRING_ADDR') ? 'die' : 'pass',
    },
  },
  'dies of late features': {
    socket: {
      decide: ({ name }, { seen }) =>
        name === 'SET_FEATURES' && seen.has('SET_VRING_KICK') ? 'die' : 'pass',
    },
  },
  'dies of small logs': {
    socket: {
      decide: ({ payload }) => (payload?.kind === 'log' && payload.mmapSize < 4096n ? 'die' : 'pass'),
    },
  },
  'dies of large regions in flight': {
    socket: {
      decide: ({ payload }) => (payload?.kind === 'inflight' && payload.queueSize > 1024 ? 'die' : 'pass'),
    },
  },
  'believes the region in flight': {
    socket: {
      decide: ({ name }, _state, fds) =>
        name === 'SET_INFLIGHT_FD' && fds.some((fd) => !isConsistent(fd)) ? 'die' : 'pass',
    },
  },
  'needs an order': {
    socket: {
      decide: ({ name }, { seen }) => {
        const isEarly = !seen.has('SET_FEATURES') && /^SET_VRING/.test(name);
        const isAgain = name === 'SET_OWNER' && seen.has('SET_OWNER');
        return isEarly || isAgain ? 'refuse' : 'pass';
      },
    },
  },
  'adds bit 30': {
    socket: {
      rewrite: (bytes, { name }) => {
        if (name === 'SET_FEATURES') bytes[15] |= 0x40;
      },
    },
  },
  'dies of a region': {
    socket: { decide: ({ name, fdCount }) => (/MEM/.test(name) && fdCount > 0 ? 'die' : 'pass') },
  },
  'takes any eventfd': { takesAnyEventFd: true },
  'silent about states': {
    socket: { decide: ({ name }) => (name === 'SET_DEVICE_STATE_FD' ? 'drop' : 'pass') },
  },
  'knows one region': { device: { knowsOneRegion: true, sticksOnBadChain: true } },
  'silent violations': { device: { onViolation: 'silent' } },
  'dies of violations': { device: { onViolation: 'die' } },
  'a violation stops all': { device: { onViolation: 'stop-all' } },
  'sticks on bad chains': { device: { sticksOnBadChain: true } },
  'plain chains only': { device: { plainOnly: true } },
  'no indirect': { device: { noIndirect: true } },
  'sticks on odd frames': { device: { sticksOnOddFrames: true } },
  'sticks on odd events': { device: { sticksOnOddEvents: true } },
  'writes outside': { device: { writesOutside: true } },
  'uses strangers': { device: { usesStrangers: true } },
  'never calls': { device: { neverCalls: true } },
  'trusts the used index': { device: { trustsUsedIdx: true } },
  'reads twice': { device: { readsTwice: true } },
  'waits for calls': { device: { waitsForCalls: true } },
  'dies of broken calls': { device: { diesOfBrokenCalls: true } },
  'dies of needless kicks': { device: { diesOfNeedlessKicks: true } },
  'dies of unavailable descriptors': { device: { diesOfUnavailable: true } },
  'dies of ids twice': { device: { diesOfTwice: true } },
  'stops on an empty kick': { device: { stopsOnEmptyKick: true } },
  'base drifts': { device: { driftsBase: true } },
  'keeps stopped rings': { device: { keepsStoppedRings: true } },
  'forgets restarts': { device: { forgetsRestart: true } },
  'stops on a log': { device: { stopsOnLog: true } },
  'stops on memory': { device: { stopsOnMemory: true } },
  'loads anything': { device: { loadsAnything: true } },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;
