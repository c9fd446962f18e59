import semver from 'semver';
import type { MigrationClass } from '../bundle/manifest.ts';

export type KnownMigration = { version: string; class: MigrationClass; summary: string };

/**
 * The worst class of the releases after `from`, up to and including `to`. Releases without an entry do not change the schema
 * (docs/FORMAT.md section 4.4). `none` when `to` is older than `from`, because nothing is migrated.
 */
export function classOfPath(migrations: readonly KnownMigration[], from: string, to: string): MigrationClass {
  const between = migrations.filter((entry) => semver.gt(entry.version, from) && semver.lte(entry.version, to));
  return between.some((entry) => entry.class === 'irreversible')
    ? 'irreversible'
    : between.some((entry) => entry.class === 'expand')
      ? 'expand'
      : 'none';
}

/** Whether the code of a version can run on a schema with the migrations up to `schemaRelease`. */
export function runsOn(migrations: readonly KnownMigration[], version: string, schemaRelease: string): boolean {
  return semver.gte(schemaRelease, version)
    ? classOfPath(migrations, version, schemaRelease) !== 'irreversible'
    : classOfPath(migrations, schemaRelease, version) === 'none';
}

/** Joins known migrations with those of a bundle: one entry for each version; the bundle's takes precedence. */
export function withMigrations(known: readonly KnownMigration[], learnt: readonly KnownMigration[]): KnownMigration[] {
  const all = new Map([...known, ...learnt].map((entry) => [entry.version, entry]));
  return [...all.values()].toSorted((a, b) => semver.compare(a.version, b.version));
}
