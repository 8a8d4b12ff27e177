import type { LinkSettings } from '@vhostlab/workload';
import { z } from 'zod';
import { durationPs, runTime } from './duration.ts';

const share = z
  .string({ error: ({ input }) => `must be a share such as 0.1%, not ${JSON.stringify(input)}` })
  .regex(/^\d+(\.\d+)?%$/, { error: ({ input }) => `must be a share such as 0.1%, not "${input}"` })
  .refine((text) => shareOf(text) <= 1, { error: ({ input }) => `${input} is more than all frames, 100%` });

const rate = z
  .string({ error: ({ input }) => `must be a rate such as 10Gbps, or line, not ${JSON.stringify(input)}` })
  .regex(/^(line|\d+(\.\d+)?[kMG]bps)$/, {
    error: ({ input }) =>
      `must be a rate such as 10Gbps, or line, not "${input}"; units are kbps, Mbps and Gbps`,
  })
  .refine((text) => text === 'line' || (rateBpsOf(text) >= 1e3 && rateBpsOf(text) <= 400e9), {
    error: ({ input }) => `${input} is no rate of a link: 1kbps to 400Gbps`,
  });

/** What can be set on a link, as lab files and options write it; what is left out stays as it was. */
export const linkSettingsShape = {
  delay: runTime.optional().meta({ description: 'Added to the latency of every frame.' }),
  jitter: runTime
    .optional()
    .meta({ description: 'A further time from 0 to this, drawn for each frame; frames keep their order.' }),
  loss: share.optional().meta({ description: 'Share of the frames that are lost.' }),
  corrupt: share.optional().meta({
    description: 'Share of the frames of which one bit is inverted; the receiver drops them (crc).',
  }),
  rate: rate
    .optional()
    .meta({ description: 'Rate of the link behind a bounded queue; line: as fast as its ports.' }),
};

/** The keys above, for messages and to tell whether any is set. */
export const LINK_SETTINGS = Object.keys(linkSettingsShape) as (keyof typeof linkSettingsShape)[];

/** Settings as text. */
export type LinkSettingsText = { [Key in keyof typeof linkSettingsShape]?: string | undefined };

/** What a scenario is told of settings that the schema has checked. */
export function linkSettingsOf({ delay, jitter, loss, corrupt, rate: bits }: LinkSettingsText): LinkSettings {
  return {
    ...(delay === undefined ? {} : { delayPs: durationPs(delay) }),
    ...(jitter === undefined ? {} : { jitterPs: durationPs(jitter) }),
    ...(loss === undefined ? {} : { loss: shareOf(loss) }),
    ...(corrupt === undefined ? {} : { corrupt: shareOf(corrupt) }),
    ...(bits === undefined ? {} : { rateBps: rateBpsOf(bits) }),
  };
}

function shareOf(text: string): number {
  return Number(text.slice(0, -1)) / 100;
}

const UNITS_BPS: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9 };

/** Bits per second of a rate such as `10Gbps`; 0 for `line`. */
export function rateBpsOf(text: string): number {
  return text === 'line' ? 0 : Number(text.slice(0, -4)) * (UNITS_BPS[text.at(-4) ?? ''] ?? 1);
}
