/** Who sent what should not have been sent. */
export type Sender = 'front end' | 'back end';

/** A rule of the message flow that somebody broke. */
export interface FlowViolation {
  /** Stable: logs, records and tests name it. Codes of single messages (`size`, `fd-count`, …) are the codec's. */
  readonly code: string;
  readonly party: Sender;
  /** One sentence with the figures. */
  readonly text: string;
  readonly clause: string;
}

/** Codes of rules that need more than one message to be broken, and what each says. */
export const FLOW_RULES = {
  'reply-unasked': 'an answer belongs to a request that wants one',
  'reply-request': 'answers come in the order of the requests, with their number',
  'reply-flags': 'an answer has version 1 and the reply bit, and nothing else',
  'need-reply-feature': 'need_reply is set when REPLY_ACK was negotiated',
  'message-feature': 'a message is sent when its protocol feature was negotiated',
  'features-offered': 'acknowledged features were offered',
  'protocol-features-offered': 'acknowledged protocol features were offered',
  'protocol-features-requirements': 'a protocol feature comes with those that it needs',
  'ring-index': 'a ring index is below the number of rings',
  'ring-size': 'a ring size is one that its format has',
  'ring-base': 'a ring begins at a place that it has',
  'ring-address': 'the areas of a ring are aligned and in shared memory, each in one region',
  'region-size': 'a region has a size, and it does not wrap around',
  'region-file': 'a region lies inside of its file, at whole pages',
  'region-overlap': 'regions do not overlap',
  'region-unknown': 'a region that is removed was there',
  'region-slots': 'there are at most as many regions as the back end has slots',
} as const satisfies Record<string, string>;

export type FlowRuleCode = keyof typeof FLOW_RULES;
