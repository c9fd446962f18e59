import semver from 'semver';
import type { MigrationClass } from '../bundle/manifest.ts';
import type { KnownMigration } from './state.ts';

/** The worst class in (from, to]; releases that nobody lists change no schema (CONTRACTS "Migration class belongs to the path"). */
export function classOfPath(migrations: readonly KnownMigration[], from: string, to: string): MigrationClass {
  const between = migrations.filter((entry) => semver.gt(entry.version, from) && semver.lte(entry.version, to));
  return between.some((entry) => entry.class === 'irreversible')
    ? 'irreversible'
    : between.some((entry) => entry.class === 'expand')
      ? 'expand'
      : 'none';
}
