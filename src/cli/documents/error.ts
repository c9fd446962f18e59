import { z } from 'zod';

/** With `--json`, what is printed on stdout when a command failed before it had a result. */
export const errorDocument = z.strictObject({
  schema: z.literal('airdock.error/1'),
  /** A stable name of the error. */
  code: z.string(),
  exitCode: z.int(),
  message: z.string(),
  /** What to do next. */
  hint: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type ErrorDocument = z.infer<typeof errorDocument>;
