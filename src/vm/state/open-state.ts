import { DatabaseSync } from 'node:sqlite';
import { existsSync, chmodSync } from 'node:fs';
import path from 'node:path';
import { AirdockError } from '../../errors.ts';
import { migrations } from './schema.ts';
import { SqliteState, type State } from './state.ts';

/** Opens `.airdock/state.db` of any airdock version; its schema number is read first (docs/adr/0006, "Records of other versions"). */

export function hasState(airdockDirectory: string): boolean {
  return existsSync(path.join(airdockDirectory, 'state.db'));
}

/** Reads the records; an older form is read as it is. @throws AirdockError STATE_TOO_NEW when a newer airdock wrote it */
export function readState(airdockDirectory: string): State {
  const sql = openToRead(airdockDirectory);
  assertKnown(sql, airdockDirectory);
  return new SqliteState(sql);
}

/** After a kill in the middle of a commit, SQLite must first roll the commit back, which needs the right to write. */
function openToRead(airdockDirectory: string): DatabaseSync {
  try {
    const sql = new DatabaseSync(path.join(airdockDirectory, 'state.db'), { readOnly: true, timeout: 5000 });
    schemaOf(sql);
    return sql;
  } catch (error) {
    if (!existsSync(path.join(airdockDirectory, 'state.db-journal'))) throw error;
    try {
      stateSchema(airdockDirectory);
    } catch {
      throw new AirdockError('PREFLIGHT_FAILED', `airdock was killed while it wrote its records in ${airdockDirectory}`, {
        hint: 'Run airdock resume as the user who installs: it removes the half-written records.',
        cause: error,
      });
    }
    return new DatabaseSync(path.join(airdockDirectory, 'state.db'), { readOnly: true, timeout: 5000 });
  }
}

/**
 * Opens `.airdock/state.db` for writing, creates it if necessary, and migrates an older form.
 * @param version of the running airdock
 * @throws AirdockError STATE_TOO_NEW when a newer airdock wrote it
 */
export function openState(airdockDirectory: string, version: string): State {
  const file = path.join(airdockDirectory, 'state.db');
  const sql = new DatabaseSync(file, { timeout: 5000 });
  const schema = assertKnown(sql, airdockDirectory);
  chmodSync(file, 0o600);
  sql.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
  migrate(sql, schema, version);
  return new SqliteState(sql);
}

/** The schema number of the records; 0 when there are none. The caller holds the lock. */
export function stateSchema(airdockDirectory: string): number {
  if (!hasState(airdockDirectory)) return 0;
  // not read-only: after a kill in the middle of a commit SQLite first rolls the commit back
  const sql = new DatabaseSync(path.join(airdockDirectory, 'state.db'), { timeout: 5000 });
  try {
    return schemaOf(sql);
  } finally {
    sql.close();
  }
}

function schemaOf(sql: DatabaseSync): number {
  return Number(sql.prepare('PRAGMA user_version').get()?.['user_version']);
}

function assertKnown(sql: DatabaseSync, airdockDirectory: string): number {
  const schema = schemaOf(sql);
  if (schema <= migrations.length) return schema;
  const writer = sql.prepare('SELECT version FROM written_by ORDER BY schema DESC LIMIT 1').get()?.['version'];
  sql.close();
  throw new AirdockError(
    'STATE_TOO_NEW',
    `the records in ${airdockDirectory} were written by airdock ${String(writer)} (form ${schema}); this one knows forms up to ${migrations.length}`,
    { hint: useHint(airdockDirectory, String(writer)) },
  );
}

/** A hint that names the airdock to use; it is in `.airdock/bin`, except after a first install that was killed early. */
export function useHint(airdockDirectory: string, version: string): string {
  const placed = path.join(airdockDirectory, 'bin/airdock');
  return `Use airdock ${version} or newer${existsSync(placed) ? `: ${placed}` : '.'}`;
}

/** Migrates the records, one commit for each schema number, and records the version that did it. */
function migrate(sql: DatabaseSync, from: number, version: string): void {
  for (let schema = from; schema < migrations.length; schema++) {
    sql.exec(`BEGIN IMMEDIATE; ${migrations[schema]}; PRAGMA user_version = ${schema + 1};`);
    if (schema + 1 >= 2)
      sql
        .prepare('INSERT INTO written_by (schema, version, since) VALUES (?, ?, ?)')
        .run(schema + 1, version, new Date().toISOString());
    sql.exec('COMMIT');
  }
}
