import type { DatabaseSync } from 'node:sqlite';
import type { Authorized, Pinned } from '../../bundle/authorize.ts';

/** A key with the role `root` signs key sets only. */
export type PinnedKey = Pinned & { pinnedAt: string };

/** The keys that this deployment trusts (docs/adr/0012-trust-chain.md), in `state.db`. */
export class PinnedKeys {
  readonly #sql: DatabaseSync;

  constructor(sql: DatabaseSync) {
    this.#sql = sql;
  }

  /** All pinned keys, oldest first. Records of an older form have release keys only. */
  all(): PinnedKey[] {
    const rows: Record<string, unknown>[] = this.#sql.prepare('SELECT * FROM trust ORDER BY pinned_at, rowid').all();
    return rows.map((row) => ({
      fingerprint: String(row['fingerprint']),
      pem: String(row['pem']),
      pinnedAt: String(row['pinned_at']),
      role: row['role'] === 'root' ? 'root' : 'release',
      chain: row['chain'] instanceof Uint8Array ? Buffer.from(row['chain']) : null,
    }));
  }

  /** A key that is pinned already keeps its date. A root stays a root, and its key sets are never removed. */
  pin({ fingerprint, pem, pinnedAt, role, chain }: PinnedKey): void {
    const statement = `INSERT INTO trust (fingerprint, pem, pinned_at, role, chain) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (fingerprint) DO UPDATE SET role = 'root', chain = coalesce(excluded.chain, chain) WHERE excluded.role = 'root'`;
    this.#sql.prepare(statement).run(fingerprint, pem, pinnedAt, role, chain);
  }

  /** Pins what the next bundle is checked against: the root with the key sets seen so far, or the key itself. */
  pinSigner({ fingerprint, pem, chain }: Authorized, pinnedAt: string): void {
    if (chain) this.pin({ ...chain.root, pinnedAt, role: 'root', chain: chain.bytes });
    else this.pin({ fingerprint, pem, pinnedAt, role: 'release', chain: null });
  }

  unpin(fingerprint: string): void {
    this.#sql.prepare('DELETE FROM trust WHERE fingerprint = ?').run(fingerprint);
  }
}
