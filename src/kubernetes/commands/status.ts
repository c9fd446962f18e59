import { z } from 'zod';
import { migrationClass } from '../../bundle/manifest.ts';
import { wayBackTakes } from '../../policy/way-back.ts';
import { AirdockError } from '../../errors.ts';
import type { KubeObject } from '../../io/kubectl.ts';
import { databasePlace, withDatabase } from '../database/access.ts';
import { keptOnServer } from '../database/access.ts';
import { isReady, podsOf } from '../pods/pods.ts';
import { openTransaction, type ClusterRecord } from '../record/record.ts';
import { ranOf, servingOf } from '../record/revisions.ts';
import type { KubernetesRelease } from '../record/site.ts';
import { chartObjects, type ChartObjects } from '../pods/workloads.ts';

export const helmStatusDocument = z.strictObject({
  schema: z.literal('airdock.helm-status/1'),
  release: z.string(),
  namespace: z.string(),
  product: z.string().nullable(),
  current: z.string().nullable(),
  schemaRelease: z.string().nullable(),
  /** helm's last revision. */
  revision: z.int().nullable(),
  helm: z.string().nullable(),
  workloads: z.array(
    z.strictObject({ name: z.string(), service: z.string(), image: z.string(), wanted: z.int().nullable(), ready: z.int() }),
  ),
  /** Differences between airdock's record and the cluster. */
  drift: z.array(z.string()),
  interrupted: z
    .strictObject({ transaction: z.int(), kind: z.string(), to: z.string(), operator: z.string(), since: z.string() })
    .nullable(),
  keptDatabases: z.array(z.strictObject({ name: z.string(), release: z.string(), keptAt: z.string() })),
  /** Versions that helm keeps, and what a way back to each needs. */
  releases: z.array(
    z.strictObject({ version: z.string(), revision: z.int(), rollback: z.enum(['code', 'database', 'own-data', 'none']) }),
  ),
});
export type HelmStatus = z.infer<typeof helmStatusDocument>;

export const helmHistoryDocument = z.strictObject({
  schema: z.literal('airdock.helm-history/1'),
  release: z.string(),
  namespace: z.string(),
  /** Oldest first: helm's revisions, each with airdock's transaction where airdock made it. */
  history: z.array(
    z.strictObject({
      revision: z.int().nullable(),
      status: z.string().nullable(),
      /** helm's own description of the revision. */
      description: z.string().nullable(),
      version: z.string(),
      transaction: z.int().nullable(),
      kind: z.string().nullable(),
      class: migrationClass.nullable(),
      outcome: z.string().nullable(),
      operator: z.string().nullable(),
      backup: z.string().nullable(),
      rehearsed: z.boolean().nullable(),
      error: z.string().nullable(),
      at: z.string(),
    }),
  ),
});
export type HelmHistory = z.infer<typeof helmHistoryDocument>;

/** Reads only. @throws NOT_A_DEPLOYMENT when neither helm nor airdock knows the release */
export async function helmStatus(site: KubernetesRelease): Promise<HelmStatus> {
  const { kubectl, helm, release } = site;
  const { record, revisions } = await recordAndRevisions(site);
  const deployed = servingOf(revisions, record);
  const last = revisions.at(-1);
  const objects = chartObjects(deployed ? await helm.manifest(release, deployed.revision) : '');
  const { workloads } = objects;
  const open = record && openTransaction(record);
  const drift: string[] = [];
  if (record?.current && deployed && deployed.app_version !== record.current)
    drift.push(`helm runs ${deployed.app_version} (revision ${deployed.revision}), airdock installed ${record.current}`);
  const shown: HelmStatus['workloads'] = [];
  for (const workload of workloads) {
    const ready = (await podsOf(kubectl, workload)).filter(isReady).length;
    shown.push({ name: workload.name, service: workload.service, image: workload.image, wanted: workload.replicas, ready });
    if (!open && workload.replicas !== null && ready < workload.replicas)
      drift.push(`${workload.name}: ${ready} of ${workload.replicas} pods ready`);
    const live = await liveImageOf(site, workload);
    if (!live) drift.push(`${workload.kind} ${workload.name} does not exist: somebody deleted it`);
    else if (live !== workload.image) drift.push(`${workload.name} runs ${live}, the release has ${workload.image}`);
  }
  const usable = ranOf(revisions);
  const versions = new Map(usable.map((one) => [one.app_version, one.revision]));
  const schema = record?.schemaRelease ?? deployed?.app_version ?? null;
  return {
    schema: 'airdock.helm-status/1',
    release,
    namespace: kubectl.namespace,
    product: record?.product ?? null,
    current: deployed?.app_version ?? null,
    schemaRelease: schema,
    revision: last?.revision ?? null,
    helm: last?.status ?? null,
    workloads: shown,
    drift,
    interrupted: open
      ? { transaction: open.id, kind: open.kind, to: open.to, operator: open.operator, since: open.startedAt }
      : null,
    keptDatabases: (await keptOf(site, record, objects)).map(({ name, release: of, keptAt }) => ({ name, release: of, keptAt })),
    releases: [...versions].map(([version, revision]) => ({
      version,
      revision,
      rollback:
        version === deployed?.app_version || schema === null
          ? 'none'
          : wayBackTakes(record?.migrations ?? [], { version, database: record?.shape?.database }, schema),
    })),
  };
}

async function recordAndRevisions(site: KubernetesRelease) {
  const record = await site.records.read();
  const revisions = await site.helm.history(site.release);
  if (record || revisions.length > 0) return { record, revisions };
  throw new AirdockError('NOT_A_DEPLOYMENT', `there is no release ${site.release} in ${site.kubectl.namespace}`, {
    hint: 'helm list -A shows what there is, and where.',
  });
}

/** The image in the workload's current specification, whoever set it; undefined when the workload does not exist. */
async function liveImageOf({ kubectl }: KubernetesRelease, { kind, name, container }: ChartObjects['workloads'][number]) {
  type Live = KubeObject & { spec: { template: { spec: { containers: { name: string; image: string }[] } } } };
  const live = await kubectl.get<Live>(kind.toLowerCase(), name);
  return live?.spec.template.spec.containers.find((one) => one.name === container)?.image;
}

/** Kept databases; without those that were dropped by hand, where the database runs in a pod of the release. */
async function keptOf(
  site: KubernetesRelease,
  record: ClusterRecord | undefined,
  objects: ChartObjects,
): Promise<ClusterRecord['kept']> {
  if (!record?.shape || record.kept.length === 0) return record?.kept ?? [];
  const place = await databasePlace(site, record.shape, objects).catch(() => undefined);
  if (place?.kind !== 'pod') return record.kept;
  return withDatabase(site, place, undefined, async (database) =>
    database ? keptOnServer(database, record).catch(() => record.kept) : record.kept,
  );
}

/** Reads only. @throws NOT_A_DEPLOYMENT */
export async function helmHistory(site: KubernetesRelease): Promise<HelmHistory> {
  const { record, revisions } = await recordAndRevisions(site);
  const transactions = record?.transactions ?? [];
  const rows: HelmHistory['history'] = revisions.map(({ revision, status, description, app_version: version, updated }) => {
    const transaction = transactions.find(({ revisions: { after } }) => after === revision);
    return { ...rowOf(transaction), revision, status, description, version, at: updated };
  });
  // helm drops its oldest revisions, and airdock keeps its transactions
  const kept = new Set<number | null>(revisions.map(({ revision }) => revision));
  for (const one of transactions.filter(({ revisions: { after } }) => !kept.has(after)))
    rows.push({
      ...rowOf(one),
      revision: one.revisions.after,
      status: null,
      description: null,
      version: one.to,
      at: one.startedAt,
    });
  return {
    schema: 'airdock.helm-history/1',
    release: site.release,
    namespace: site.kubectl.namespace,
    history: rows.toSorted((a, b) => a.at.localeCompare(b.at)),
  };
}

type Row = HelmHistory['history'][number];
function rowOf(
  one: NonNullable<Awaited<ReturnType<KubernetesRelease['records']['read']>>>['transactions'][number] | undefined,
): Omit<Row, 'revision' | 'status' | 'description' | 'version' | 'at'> {
  return {
    transaction: one?.id ?? null,
    kind: one?.kind ?? null,
    class: one?.class ?? null,
    outcome: one?.outcome ?? null,
    operator: one?.operator ?? null,
    backup: one?.backup ?? null,
    rehearsed: one?.rehearsed ?? null,
    error: one?.error ?? null,
  };
}
