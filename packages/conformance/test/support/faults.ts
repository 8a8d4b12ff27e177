import type { Message } from '@vhostlab/vhost-user';

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
  readonly diesOfManyKicks?: boolean;
  readonly stopsOnEmptyKick?: boolean;
  readonly diesOnFeaturesWhileRunning?: boolean;
  readonly driftsBase?: boolean;
  readonly keepsStoppedRings?: boolean;
  readonly forgetsRestart?: boolean;
  readonly stopsOnLog?: boolean;
  readonly stopsOnMemory?: boolean;
  readonly keepsOldMemory?: boolean;
  readonly logsBeyond?: boolean;
  readonly loadsAnything?: boolean;
}

/** What to do with one message instead of handing it to the session. */
export type Deed = 'pass' | 'acknowledge' | 'drop' | 'close' | 'die' | 'refuse';

/** Faults between the socket and the session. */
export interface SocketFaults {
  /** Decides about each message that comes. */
  readonly decide?: (message: Message, state: SocketState) => Deed;
  /** Changes a message that comes, in place. */
  readonly rewrite?: (bytes: Uint8Array, message: Message) => void;
  /** Changes a reply in place; `drop`: it does not go out, `twice`: it does twice. */
  readonly reply?: (bytes: Uint8Array, request: number) => 'drop' | 'twice' | undefined;
  /** Answers messages that did not ask for it. */
  readonly answersUnasked?: boolean;
  /** Keeps a copy of every descriptor that comes. */
  readonly keepsDescriptors?: boolean;
  /** A message has to come in one read. */
  readonly needsWholeMessages?: boolean;
  /** What comes in one read is one message. */
  readonly onePerRead?: boolean;
  /** Waits for as many bytes as the header says. */
  readonly believesSizes?: boolean;
  /** Ends, as a crash would, when the peer closes inside a message. */
  readonly diesOfHalves?: boolean;
  /** Ends when a connection was closed without a message, the hundredth time. */
  readonly diesOfConnections?: boolean;
}

/** What a mutant remembers of one connection. */
export interface SocketState {
  readonly seen: Set<string>;
}

/** One way in which a back end is wrong. */
export interface Fault {
  readonly device?: DeviceFaults;
  readonly socket?: SocketFaults;
  /** Maps files without asking how long they are. */
  readonly mapsBeyond?: boolean;
  /** Takes any descriptor for an eventfd. */
  readonly takesAnyEventFd?: boolean;
}

/** Messages whose acknowledgement is a u64. */
const hasAcknowledgement = ({ row }: Message): boolean =>
  row === undefined || row.reply === null || ('replyWhen' in row && row.replyWhen === 'postcopy');

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
  'acknowledges all, carries nothing out': {
    socket: { decide: (message) => (hasAcknowledgement(message) ? 'acknowledge' : 'pass') },
  },
  'answers unasked': { socket: { answersUnasked: true } },
  'keeps descriptors': { socket: { keepsDescriptors: true } },
  'needs whole messages': { socket: { needsWholeMessages: true } },
  'one message per read': { socket: { onePerRead: true } },
  'believes sizes': { socket: { believesSizes: true } },
  'dies of halves': { socket: { diesOfHalves: true } },
  'dies of connections': { socket: { diesOfConnections: true } },
  'answers twice': { socket: { reply: () => 'twice' } },
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
  'maps beyond files': { mapsBeyond: true },
  'takes any eventfd': { takesAnyEventFd: true },
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
  'dies of many kicks': { device: { diesOfManyKicks: true } },
  'stops on an empty kick': { device: { stopsOnEmptyKick: true } },
  'dies of features while running': { device: { diesOnFeaturesWhileRunning: true } },
  'base drifts': { device: { driftsBase: true } },
  'keeps stopped rings': { device: { keepsStoppedRings: true } },
  'forgets restarts': { device: { forgetsRestart: true } },
  'stops on a log': { device: { stopsOnLog: true } },
  'stops on memory': { device: { stopsOnMemory: true } },
  'keeps old memory': { device: { keepsOldMemory: true } },
  'logs beyond': { device: { logsBeyond: true } },
  'loads anything': { device: { loadsAnything: true } },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;
