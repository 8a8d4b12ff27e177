import { z } from 'zod';

const confidence = z.enum(['read', 'derived', 'recalled', 'assumed']);

const operation = z.strictObject({
  fixed: z.strictObject({ value: z.number().min(0), unit: z.literal('ns') }),
  perByte: z.strictObject({ value: z.number().min(0), unit: z.literal('ns/B') }),
  source: z.string().min(1),
  confidence,
});

const constant = z.strictObject({
  value: z.number(),
  unit: z.string().min(1),
  source: z.string().min(1),
  confidence,
});

/** A cost profile file: every number with its unit, source and confidence. Unknown keys are refused. */
export const costProfileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  description: z.string().min(1),
  operations: z.record(z.string(), operation),
  constants: z.record(z.string(), constant),
});

export type CostProfile = z.infer<typeof costProfileSchema>;
