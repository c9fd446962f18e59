import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** The live database can be looked at, and its server is the one that the release is made for. */
export function checkDatabase({
  database: found,
  release,
}: {
  database: Context['database'];
  release: Pick<Context['release'], 'manifest'>;
}): Finding[] {
  if (found?.failure) return [found.failure];
  const wanted = release.manifest.requires.postgres;
  if (!found?.database || wanted === undefined) return [];
  if (found.version.split('.')[0] === String(wanted)) return [];
  return [
    {
      code: 'POSTGRES_MAJOR',
      text: `the database runs PostgreSQL ${found.version}, the release is made for ${wanted}`,
      fix: 'A change of the major version is a move of its own: follow the vendor, dump and restore.',
    },
  ];
}
