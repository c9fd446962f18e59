import semver from 'semver';
import type { MigrationClass } from '../bundle/manifest.ts';

export type KnownMigration = { version: string; class: MigrationClass; summary: string };

/** The worst class in (from, to]; releases that nobody lists change no schema (docs/FORMAT.md section 4.4). A way down has none: it migrates nothing. */
export function classOfPath(migrations: readonly KnownMigration[], from: string, to: string): MigrationClass {
  const between = migrations.filter((entry) => semver.gt(entry.version, from) && semver.lte(entry.version, to));
  return between.some((entry) => entry.class === 'irreversible')
    ? 'irreversible'
    : between.some((entry) => entry.class === 'expand')
      ? 'expand'
      : 'none';
}

/** May the code of that version run on a schema that has the migrations up to `schemaRelease`? */
export function runsOn(migrations: readonly KnownMigration[], version: string, schemaRelease: string): boolean {
  return semver.gte(schemaRelease, version)
    ? classOfPath(migrations, version, schemaRelease) !== 'irreversible'
    : classOfPath(migrations, schemaRelease, version) === 'none';
}

/** What the records know together with what a bundle says: one entry for each version, and the bundle's counts. */
export function withMigrations(known: readonly KnownMigration[], learnt: readonly KnownMigration[]): KnownMigration[] {
  const all = new Map([...known, ...learnt].map((entry) => [entry.version, entry]));
  return [...all.values()].toSorted((a, b) => semver.compare(a.version, b.version));
}
