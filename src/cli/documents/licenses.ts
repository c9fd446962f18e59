import { z } from 'zod';

export const licensesDocument = z.strictObject({ schema: z.literal('airdock.licenses/1'), text: z.string() });
export type LicensesDocument = z.infer<typeof licensesDocument>;
