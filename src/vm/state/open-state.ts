import { DatabaseSync } from 'node:sqlite';
import { existsSync, chmodSync } from 'node:fs';
import path from 'node:path';
import { AirdockError } from '../../errors.ts';
import { migrations } from './schema.ts';
import { SqliteState, type State } from './state.ts';

/** `.airdock/state.db` of whatever age: its form is looked at first (docs/adr/0006, "Records of other versions"). */

export function hasState(airdockDirectory: string): boolean {
  return existsSync(path.join(airdockDirectory, 'state.db'));
}

/** Reads the records; an older form is read as it is. @throws AirdockError STATE_TOO_NEW when a newer airdock wrote it */
export function readState(airdockDirectory: string): State {
  const sql = openToRead(airdockDirectory);
  assertKnown(sql, airdockDirectory);
  return new SqliteState(sql);
}

/** After a kill inside of a commit, SQLite must first take the half of it back, which nobody can who only reads. */
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
        hint: 'Run airdock resume as the user who installs: it takes back what was half written.',
        cause: error,
      });
    }
    return new DatabaseSync(path.join(airdockDirectory, 'state.db'), { readOnly: true, timeout: 5000 });
  }
}

/**
 * Opens `.airdock/state.db` to write, creates it, brings an older form to the present one.
 * @param version of the airdock that does it
 * @throws AirdockError STATE_TOO_NEW when a newer airdock wrote it
 */
export function openState(airdockDirectory: string, version: string): State {
  const file = path.join(airdockDirectory, 'state.db');
  const sql = new DatabaseSync(file, { timeout: 5000 });
  const found = assertKnown(sql, airdockDirectory);
  chmodSync(file, 0o600);
  sql.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
  migrate(sql, found, version);
  return new SqliteState(sql);
}

/** The form that the records have; 0 when there are none. The caller holds the lock. */
export function stateSchema(airdockDirectory: string): number {
  if (!hasState(airdockDirectory)) return 0;
  // not read-only: after a kill inside of a commit SQLite first rolls that back
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
  const found = schemaOf(sql);
  if (found <= migrations.length) return found;
  const writer = sql.prepare('SELECT version FROM written_by ORDER BY schema DESC LIMIT 1').get()?.['version'];
  sql.close();
  throw new AirdockError(
    'STATE_TOO_NEW',
    `the records in ${airdockDirectory} were written by airdock ${String(writer)} (form ${found}); this one knows forms up to ${migrations.length}`,
    { hint: useHint(airdockDirectory, String(writer)) },
  );
}

/** Which one to use instead; it lies beside the records, but for a first install that was killed. */
export function useHint(airdockDirectory: string, version: string): string {
  const placed = path.join(airdockDirectory, 'bin/airdock');
  return `Use airdock ${version} or newer${existsSync(placed) ? `: ${placed}` : '.'}`;
}

/** Each form is one commit, and says who made it. */
function migrate(sql: DatabaseSync, found: number, version: string): void {
  for (let schema = found; schema < migrations.length; schema++) {
    sql.exec(`BEGIN IMMEDIATE; ${migrations[schema]}; PRAGMA user_version = ${schema + 1};`);
    if (schema + 1 >= 2)
      sql
        .prepare('INSERT INTO written_by (schema, version, since) VALUES (?, ?, ?)')
        .run(schema + 1, version, new Date().toISOString());
    sql.exec('COMMIT');
  }
}
