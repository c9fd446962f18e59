import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that the live database answers, and that its server has the major version that the release needs. */
export function checkDatabase({
  database: standing,
  release,
}: {
  database: Context['database'];
  release: Pick<Context['release'], 'manifest'>;
}): Finding[] {
  if (standing?.failure) return [standing.failure];
  const neededMajor = release.manifest.requires.postgres;
  if (!standing?.database || neededMajor === undefined) return [];
  if (standing.version.split('.')[0] === String(neededMajor)) return [];
  return [
    {
      code: 'POSTGRES_MAJOR',
      text: `the database runs PostgreSQL ${standing.version}, the release needs ${neededMajor}`,
      fix: 'Change the major version separately, by dump and restore, as the vendor says.',
    },
  ];
}
