import { z } from 'zod';

/** A part of the file: unknown keys are refused by name, with those that there are. */
export function part<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `no such key here; there are ${Object.keys(shape).join(', ')}`
        : undefined,
  });
}
