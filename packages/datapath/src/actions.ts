import { KEY_WORDS } from './key.ts';

/** What a datapath does with the frames of a flow, in order. No output at all: the frame is dropped. */
export type DatapathAction =
  | { readonly type: 'output'; readonly port: number }
  | { readonly type: 'push_vlan'; readonly tpid: number; readonly tci: number }
  | { readonly type: 'pop_vlan' }
  /** Sets the bits of `mask` in a word of the key to those of `value`, in the frame too. */
  | { readonly type: 'set'; readonly word: number; readonly value: number; readonly mask: number }
  /** Decrements TTL or hop limit; a frame that has 1 or 0 left is dropped. */
  | { readonly type: 'dec_ttl' }
  | { readonly type: 'drop' };

/** Operations of a program: the action list as words, which is also its form on the wire. */
export const OP_OUTPUT = 1;
export const OP_PUSH_VLAN = 2;
export const OP_POP_VLAN = 3;
export const OP_SET = 4;
export const OP_DEC_TTL = 5;
export const OP_DROP = 6;
/** Output of a copy: another output follows, so that only the last one may give the frame itself away. */
export const OP_OUTPUT_COPY = 7;

/** Words of each operation, itself included; 0: no such operation. */
const OP_WORDS = [0, 2, 2, 1, 4, 1, 1, 2];
/** More words than this are no program. */
export const PROGRAM_WORDS_MAX = 4096;

/** Encodes actions as a program. Throws a RangeError for more than 4,096 words. */
export function encodeActions(actions: readonly DatapathAction[]): Uint32Array {
  const words: number[] = [];
  for (let i = 0; i < actions.length; i++) {
    const action = actions[i];
    switch (action.type) {
      case 'output':
        words.push(isFollowedByOutput(actions, i) ? OP_OUTPUT_COPY : OP_OUTPUT, action.port);
        break;
      case 'push_vlan':
        words.push(OP_PUSH_VLAN, ((action.tpid << 16) | action.tci) >>> 0);
        break;
      case 'pop_vlan':
        words.push(OP_POP_VLAN);
        break;
      case 'set':
        words.push(OP_SET, action.word, action.value, action.mask);
        break;
      case 'dec_ttl':
        words.push(OP_DEC_TTL);
        break;
      case 'drop':
        words.push(OP_DROP);
        break;
    }
  }
  if (words.length > PROGRAM_WORDS_MAX)
    throw new RangeError(`a flow of ${words.length} action words, 4096 at most`);
  const program = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) program[i] = words[i];
  return program;
}

/** Decodes a program. Throws an Error for one that `programFault` objects to. */
export function decodeActions(program: Uint32Array): DatapathAction[] {
  const fault = programFault(program);
  if (fault !== '') throw new Error(fault);
  const actions: DatapathAction[] = [];
  for (let i = 0; i < program.length; i += OP_WORDS[program[i]]) {
    switch (program[i]) {
      case OP_OUTPUT:
      case OP_OUTPUT_COPY:
        actions.push({ type: 'output', port: program[i + 1] });
        break;
      case OP_PUSH_VLAN:
        actions.push({ type: 'push_vlan', tpid: program[i + 1] >>> 16, tci: program[i + 1] & 0xffff });
        break;
      case OP_POP_VLAN:
        actions.push({ type: 'pop_vlan' });
        break;
      case OP_SET:
        actions.push({ type: 'set', word: program[i + 1], value: program[i + 2], mask: program[i + 3] });
        break;
      case OP_DEC_TTL:
        actions.push({ type: 'dec_ttl' });
        break;
      default:
        actions.push({ type: 'drop' });
    }
  }
  return actions;
}

/** What is wrong with a program that came from a peer, '' when nothing is. */
export function programFault(program: Uint32Array): string {
  if (program.length > PROGRAM_WORDS_MAX) return 'program of more than 4096 words';
  let i = 0;
  while (i < program.length) {
    const words = program[i] < OP_WORDS.length ? OP_WORDS[program[i]] : 0;
    if (words === 0) return `operation ${program[i]} of a program does not exist`;
    if (i + words > program.length) return 'program ends inside an operation';
    if (program[i] === OP_SET && program[i + 1] >= KEY_WORDS)
      return `program sets key word ${program[i + 1]}`;
    i += words;
  }
  return '';
}

/** True when two programs are the same word for word. */
export function sameProgram(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function isFollowedByOutput(actions: readonly DatapathAction[], at: number): boolean {
  for (let i = at + 1; i < actions.length; i++) {
    if (actions[i].type === 'drop') return false;
    if (actions[i].type === 'output') return true;
  }
  return false;
}
