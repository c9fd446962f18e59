import { z } from 'zod';
import { AirdockError } from '../../../errors.ts';
import { ask, type DatabaseTarget } from './server.ts';

/** What `CREATE DATABASE … TEMPLATE template0` needs to make a database that sorts and stores text like a given one. */
export const databaseLocale = z.strictObject({
  /** `UTF8` */
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  provider: z.enum(['libc', 'icu', 'builtin']),
  /** Null for the provider libc. */
  icuLocale: z.string().nullable(),
  /** PostgreSQL 16 and later. */
  icuRules: z.string().optional(),
  /** Version of the collation library when the database was made; another version may sort differently. Null if the provider has none. */
  collationVersion: z.string().nullable(),
});
export type DatabaseLocale = z.infer<typeof databaseLocale>;

/** @throws AirdockError BACKUP_FAILED */
export async function readLocale(target: DatabaseTarget): Promise<DatabaseLocale> {
  const [line] = await ask(target, query, {}, 'BACKUP_FAILED');
  const read = databaseLocale.safeParse(JSON.parse(line ?? 'null'));
  if (read.success) return read.data;
  throw new AirdockError('BACKUP_FAILED', `the locale of the database ${target.database} cannot be read: ${line}`, {
    cause: read.error,
  });
}

// Reads columns by name, from JSON, because PostgreSQL 15, 16 and 17 added and renamed columns.
const query = `
SELECT json_strip_nulls(json_build_object('icuRules', d->>'daticurules'))::jsonb || jsonb_build_object(
  'encoding', pg_encoding_to_char((d->>'encoding')::int), 'collate', d->>'datcollate', 'ctype', d->>'datctype',
  'provider', CASE coalesce(d->>'datlocprovider', 'c') WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END,
  'icuLocale', coalesce(d->>'datlocale', d->>'daticulocale'), 'collationVersion', d->>'datcollversion')
FROM (SELECT to_jsonb(d) AS d FROM pg_database d WHERE datname = current_database()) d`;
