import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { bundleManifest, productName, migrationClass, migrationEntry, timestamp, version } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { KubeObject, Kubectl } from '../../io/kubectl.ts';

/** What airdock knows of a Helm release: a Secret beside helm's own Secrets (docs/adr/0013-cluster.md). It holds no password. */

const databaseId = z.strictObject({ name: z.string(), oid: z.int() });
const transaction = z.strictObject({
  id: z.int().positive(),
  kind: z.enum(['install', 'upgrade', 'rollback']),
  from: version.nullable(),
  to: version,
  class: migrationClass,
  /**
   * helm's revisions: the one in place before the transaction, the last one in the history before it (which may be a failed one above
   * the one in place), and the one in place after it.
   */
  revisions: z.strictObject({ before: z.int().nullable(), last: z.int().nullable().default(null), after: z.int().nullable() }),
  operator: z.string(),
  /** Process id of airdock on the operator's machine. */
  pid: z.int().nullable().default(null),
  startedAt: timestamp,
  endedAt: timestamp.nullable(),
  outcome: z.enum(['done', 'undone', 'rolled-back', 'failed']).nullable(),
  error: z.string().nullable(),
  backup: z.string().nullable(),
  rehearsed: z.boolean(),
  /** What an undo needs while the transaction is under way. */
  undo: z
    .strictObject({
      /** Replicas of each workload before it was stopped, by `kind/name`. */
      replicas: z.record(z.string(), z.int().nonnegative()),
      live: databaseId.nullable(),
      next: databaseId.nullable(),
      aside: z.string().nullable(),
    })
    .nullable(),
});
export type ClusterTransaction = z.infer<typeof transaction>;

const record = z.strictObject({
  schema: z.literal('airdock.cluster/1'),
  product: productName,
  trust: z.array(
    z.strictObject({ fingerprint: z.string(), role: z.enum(['release', 'root']), pem: z.string(), chain: z.string().nullable() }),
  ),
  migrations: z.array(migrationEntry),
  /** From the last bundle, so that a way back needs no bundle. */
  shape: bundleManifest
    .pick({ writers: true, database: true })
    .extend({ /** The image whose tools reach a database outside the cluster. */ databaseImage: z.string().nullable() })
    .nullable(),
  /** Health checks and the declared security floor of each release that was installed here. */
  checks: z.array(bundleManifest.pick({ version: true, health: true, traffic: true, securityFloor: true })).default([]),
  current: version.nullable(),
  /** The highest release whose migrations the live database may have. */
  schemaRelease: version.nullable(),
  highestGood: version.nullable(),
  securityFloor: version.nullable(),
  transactions: z.array(transaction),
  kept: z.array(z.strictObject({ name: z.string(), oid: z.int(), release: version, schemaRelease: version, keptAt: timestamp })),
});
export type ClusterRecord = z.infer<typeof record>;

const secretName = (release: string): string => `airdock.${release}`;
const keptTransactions = 100;
const keptChecks = 30;

/** Reads and writes the record. It remembers the version of the Secret that it read: a write is refused when somebody else wrote meanwhile. */
export class RecordStore {
  readonly #kubectl: Kubectl;
  readonly #release: string;
  #version: string | undefined;

  constructor(kubectl: Kubectl, release: string) {
    this.#kubectl = kubectl;
    this.#release = release;
  }

  /** @returns undefined when airdock never worked on this release. @throws STATE_TOO_NEW */
  async read(): Promise<ClusterRecord | undefined> {
    const secret = await this.#kubectl.get<KubeObject & { data?: Record<string, string> }>('secret', secretName(this.#release));
    if (!secret) return undefined;
    this.#version = secret.metadata.resourceVersion;
    const document: unknown = JSON.parse(gunzipSync(Buffer.from(secret.data?.['record'] ?? '', 'base64')).toString());
    const parsed = record.safeParse(document);
    if (parsed.success) return parsed.data;
    throw new AirdockError('STATE_TOO_NEW', `this airdock cannot read the record of ${this.#release} in this cluster`, {
      hint: 'A newer airdock wrote it: use that version.',
      cause: parsed.error,
    });
  }

  /** @throws LOCKED when the record was changed since it was read */
  async write(next: ClusterRecord): Promise<void> {
    const kept = { ...next, transactions: next.transactions.slice(-keptTransactions), checks: next.checks.slice(-keptChecks) };
    const secret: KubeObject & { type: string; data: Record<string, string> } = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: secretName(this.#release),
        labels: { 'app.kubernetes.io/managed-by': 'airdock', 'app.kubernetes.io/instance': this.#release },
        ...(this.#version === undefined ? {} : { resourceVersion: this.#version }),
      },
      type: 'airdock.dev/record',
      data: { record: gzipSync(JSON.stringify(record.parse(kept))).toString('base64') },
    };
    // the version of this write, and not the newest one: a later write by somebody else must be noticed
    const written = await (this.#version === undefined ? this.#kubectl.create(secret) : this.#kubectl.replace(secret));
    this.#version = written.metadata.resourceVersion;
  }
}

/** Checks and security floor of a release that was installed here; undefined where an older airdock did not keep them. */
export function releaseOf({ checks }: ClusterRecord, release: string): ClusterRecord['checks'][number] | undefined {
  return checks.find((one) => one.version === release);
}

export function openTransaction({ transactions }: ClusterRecord): ClusterTransaction | undefined {
  const last = transactions.at(-1);
  return last?.outcome === null ? last : undefined;
}

/** The writers and the database of the last bundle. @throws ROLLBACK_REFUSED where an older airdock did not keep them */
export function shapeOf({ shape }: ClusterRecord): NonNullable<ClusterRecord['shape']> {
  if (shape) return shape;
  throw new AirdockError('ROLLBACK_REFUSED', 'the record does not say which workloads write to the database', {
    hint: 'Upgrade once with this airdock, which adds that to the record.',
  });
}
