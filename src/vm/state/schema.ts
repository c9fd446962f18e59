/** Tables of `state.db` (docs/adr/0001-transaction.md). Entry i migrates a database of version i to i + 1. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE deployment (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    product TEXT,
    project TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    current TEXT,
    phase TEXT NOT NULL CHECK (phase IN ('none', 'trial', 'good')),
    schema_release TEXT,
    highest_good TEXT,
    security_floor TEXT,
    compose_digest TEXT
  ) STRICT;
  CREATE TABLE releases (
    version TEXT PRIMARY KEY,
    origin TEXT NOT NULL CHECK (origin IN ('bundle', 'adopted')),
    manifest TEXT NOT NULL,
    stored_at TEXT NOT NULL,
    good_at TEXT
  ) STRICT;
  CREATE TABLE transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('install', 'upgrade', 'rollback', 'adopt')),
    from_release TEXT,
    to_release TEXT NOT NULL,
    class TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    direction TEXT NOT NULL DEFAULT 'forward' CHECK (direction IN ('forward', 'undo')),
    outcome TEXT CHECK (outcome IN ('done', 'undone', 'rolled-back')),
    backup TEXT,
    operator TEXT NOT NULL,
    error TEXT
  ) STRICT;
  CREATE TABLE steps (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    sequence INTEGER NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'failed', 'undone')),
    detail TEXT NOT NULL DEFAULT '{}',
    at TEXT NOT NULL,
    PRIMARY KEY (transaction_id, sequence)
  ) STRICT;
  CREATE TABLE migrations (
    version TEXT PRIMARY KEY,
    class TEXT NOT NULL,
    summary TEXT NOT NULL
  ) STRICT;
  CREATE TABLE trust (
    fingerprint TEXT PRIMARY KEY,
    pem TEXT NOT NULL,
    pinned_at TEXT NOT NULL
  ) STRICT;
  `,
  // The version that migrated the file and the version that began a transaction, so that an older airdock can name the one to use.
  `
  CREATE TABLE written_by (
    schema INTEGER PRIMARY KEY,
    version TEXT NOT NULL,
    since TEXT NOT NULL
  ) STRICT;
  ALTER TABLE transactions ADD COLUMN program TEXT;
  `,
  // Whether the migration was rehearsed; databases that an upgrade or a rollback put aside.
  `
  ALTER TABLE transactions ADD COLUMN rehearsed INTEGER NOT NULL DEFAULT 0 CHECK (rehearsed IN (0, 1));
  CREATE TABLE kept_databases (
    name TEXT PRIMARY KEY,
    oid INTEGER NOT NULL,
    release TEXT NOT NULL,
    schema_release TEXT NOT NULL,
    transaction_id INTEGER NOT NULL,
    kept_at TEXT NOT NULL,
    backup TEXT
  ) STRICT;
  `,
  // Recipients of encrypted backups; the role of a pinned key, and the key sets of a root that were seen.
  `
  ALTER TABLE trust ADD COLUMN role TEXT NOT NULL DEFAULT 'release' CHECK (role IN ('root', 'release'));
  ALTER TABLE trust ADD COLUMN chain BLOB;
  CREATE TABLE backup_recipients (
    recipient TEXT PRIMARY KEY,
    since TEXT NOT NULL
  ) STRICT;
  `,
];
