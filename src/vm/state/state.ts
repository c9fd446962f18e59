import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { KnownMigration } from '../../policy/migrations.ts';
import { bundleManifest, type BundleManifest } from '../../bundle/manifest.ts';
import { PinnedKeys } from './pinned-keys.ts';

/** The state that the deployment should have: the authority inside a transaction (docs/adr/0001-transaction.md). One row. */
export type Deployment = {
  product: string | null;
  project: string;
  endpoint: string;
  /** The release that compose.yaml and .env name. */
  current: string | null;
  phase: 'none' | 'trial' | 'good';
  /** The highest release whose migrations may have been applied. */
  schemaRelease: string | null;
  highestGood: string | null;
  securityFloor: string | null;
  /** Digest of compose.yaml as airdock wrote it. */
  composeDigest: string | null;
};

export type StoredRelease = {
  version: string;
  origin: 'bundle' | 'adopted';
  manifest: BundleManifest;
  storedAt: string;
  goodAt: string | null;
};

/** A database that a swap put aside, fenced (docs/adr/0008-irreversible.md). */
export type KeptDatabase = {
  name: string;
  oid: number;
  /** The release that wrote the database, and the highest release whose migrations it may have. */
  release: string;
  schemaRelease: string;
  transaction: number;
  keptAt: string;
  /** The backup of the database, once there is one. */
  backup: string | null;
};

export type State = {
  deployment(): Deployment | undefined;
  createDeployment(value: Pick<Deployment, 'product' | 'project' | 'endpoint'>): void;
  updateDeployment(change: Partial<Deployment>): void;
  releases(): StoredRelease[];
  release(version: string): StoredRelease | undefined;
  putRelease(release: Omit<StoredRelease, 'goodAt'>): void;
  markGood(version: string, at: string): void;
  removeRelease(version: string): void;
  migrations(): KnownMigration[];
  learnMigrations(list: readonly KnownMigration[]): void;
  /** Oldest first; none in records of an older form. */
  keptDatabases(): KeptDatabase[];
  keepDatabase(kept: KeptDatabase): void;
  forgetKept(name: string): void;
  setKeptBackup(name: string, backup: string): void;
  /** age recipients that backups are encrypted to; empty when backups are not encrypted. */
  backupRecipients(): string[];
  setBackupRecipients(recipients: readonly string[], since: string): void;
  readonly trust: PinnedKeys;
  /** Runs `work` in one commit. */
  commit<T>(work: () => T): T;
  readonly sql: DatabaseSync;
  close(): void;
};

const columns: Record<keyof Deployment, string> = {
  product: 'product',
  project: 'project',
  endpoint: 'endpoint',
  current: 'current',
  phase: 'phase',
  schemaRelease: 'schema_release',
  highestGood: 'highest_good',
  securityFloor: 'security_floor',
  composeDigest: 'compose_digest',
};

/** The state in an open `state.db` (open-state.ts). */
export class SqliteState implements State {
  readonly sql: DatabaseSync;
  readonly trust: PinnedKeys;

  constructor(sql: DatabaseSync) {
    this.sql = sql;
    this.trust = new PinnedKeys(sql);
  }

  deployment(): Deployment | undefined {
    const row = this.#all('SELECT * FROM deployment')[0];
    if (!row) return undefined;
    return Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, row[column] ?? null])) as Deployment;
  }

  createDeployment(value: Pick<Deployment, 'product' | 'project' | 'endpoint'>): void {
    this.#run(
      `INSERT INTO deployment (id, product, project, endpoint, phase) VALUES (1, ?, ?, ?, 'none')`,
      value.product,
      value.project,
      value.endpoint,
    );
  }

  updateDeployment(change: Partial<Deployment>): void {
    const keys = Object.keys(change) as (keyof Deployment)[];
    if (keys.length === 0) return;
    const assignments = keys.map((key) => `${columns[key]} = ?`).join(', ');
    this.#run(`UPDATE deployment SET ${assignments}`, ...keys.map((key) => change[key] ?? null));
  }

  releases(): StoredRelease[] {
    return this.#all('SELECT * FROM releases').map((row) => ({
      version: String(row['version']),
      origin: row['origin'] as StoredRelease['origin'],
      manifest: bundleManifest.parse(JSON.parse(String(row['manifest']))),
      storedAt: String(row['stored_at']),
      goodAt: typeof row['good_at'] === 'string' ? row['good_at'] : null,
    }));
  }

  release(version: string): StoredRelease | undefined {
    return this.releases().find((release) => release.version === version);
  }

  putRelease(release: Omit<StoredRelease, 'goodAt'>): void {
    this.#run(
      `INSERT INTO releases (version, origin, manifest, stored_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (version) DO UPDATE SET origin = excluded.origin, manifest = excluded.manifest, stored_at = excluded.stored_at`,
      release.version,
      release.origin,
      JSON.stringify(release.manifest),
      release.storedAt,
    );
  }

  markGood(version: string, at: string): void {
    this.#run('UPDATE releases SET good_at = ? WHERE version = ?', at, version);
  }

  removeRelease(version: string): void {
    this.#run('DELETE FROM releases WHERE version = ?', version);
  }

  migrations(): KnownMigration[] {
    return this.#all('SELECT version, class, summary FROM migrations') as KnownMigration[];
  }

  /** The latest declaration for a release counts, because a vendor may correct a wrong class. */
  learnMigrations(list: readonly KnownMigration[]): void {
    for (const entry of list)
      this.#run(
        'INSERT OR REPLACE INTO migrations (version, class, summary) VALUES (?, ?, ?)',
        entry.version,
        entry.class,
        entry.summary,
      );
  }

  keptDatabases(): KeptDatabase[] {
    if (!this.#has('kept_databases')) return [];
    return this.#all(
      `SELECT name, oid, release, schema_release AS schemaRelease, transaction_id AS "transaction", kept_at AS keptAt, backup
       FROM kept_databases ORDER BY transaction_id`,
    ) as KeptDatabase[];
  }

  keepDatabase({ name, oid, release, schemaRelease, transaction, keptAt, backup }: KeptDatabase): void {
    this.#run(
      'INSERT OR REPLACE INTO kept_databases (name, oid, release, schema_release, transaction_id, kept_at, backup) VALUES (?, ?, ?, ?, ?, ?, ?)',
      name,
      oid,
      release,
      schemaRelease,
      transaction,
      keptAt,
      backup,
    );
  }

  forgetKept(name: string): void {
    this.#run('DELETE FROM kept_databases WHERE name = ?', name);
  }

  setKeptBackup(name: string, backup: string): void {
    this.#run('UPDATE kept_databases SET backup = ? WHERE name = ?', backup, name);
  }

  backupRecipients(): string[] {
    if (!this.#has('backup_recipients')) return [];
    return this.#all('SELECT recipient FROM backup_recipients ORDER BY rowid').map((row) => String(row['recipient']));
  }

  setBackupRecipients(recipients: readonly string[], since: string): void {
    this.#run('DELETE FROM backup_recipients');
    for (const recipient of recipients)
      this.#run('INSERT INTO backup_recipients (recipient, since) VALUES (?, ?)', recipient, since);
  }

  commit<T>(work: () => T): T {
    this.sql.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.sql.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.sql.isTransaction) this.sql.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.sql.close();
  }

  /** Records of an older form have fewer tables. */
  #has(table: string): boolean {
    return this.#all(`SELECT 1 FROM sqlite_schema WHERE name = '${table}'`).length > 0;
  }

  #run(statement: string, ...values: SQLInputValue[]): void {
    this.sql.prepare(statement).run(...values);
  }

  #all(statement: string): Record<string, unknown>[] {
    return this.sql.prepare(statement).all();
  }
}

/** Releases of the store that were good here, without the current one. */
export function rollbackTargets(state: State): StoredRelease[] {
  const current = state.deployment()?.current;
  return state.releases().filter((release) => release.goodAt !== null && release.version !== current);
}
