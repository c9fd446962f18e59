import { z } from 'zod';
import { migrationClass, type BundleManifest } from '../../bundle/manifest.ts';
import { findingSchema, type Finding, type FindingCode } from '../../policy/finding.ts';
import { leavesDataUnsaved, pathFindings, restoreFlag, savedElsewhereFlag } from '../../policy/upgrade-path.ts';
import { tableDifferences } from '../../data/postgres/compare/table-differences.ts';
import { conflictFix } from './conflicts.ts';
import type { DatabasePlace } from '../database/access.ts';
import type { ClusterFacts } from './facts.ts';
import { ownerFindings } from './owners.ts';
import { commandsOf, kubectlFlags } from '../record/site.ts';

/** What `airdock helm upgrade` is about to do, as data. */
export const helmPlanDocument = z.strictObject({
  schema: z.literal('airdock.helm-plan/1'),
  product: z.string(),
  release: z.string(),
  namespace: z.string(),
  kind: z.enum(['install', 'upgrade', 'rollback']),
  from: z.string().nullable(),
  to: z.string(),
  class: migrationClass,
  /** helm's revision that runs, and, for a rollback, the revision that it goes to. */
  revision: z.int().nullable(),
  toRevision: z.int().nullable(),
  /** Null where no database exists yet; `bytes` is null where the database is outside the cluster. */
  database: z.strictObject({ place: z.string(), name: z.string(), bytes: z.int().nullable() }).nullable(),
  steps: z.array(z.string()),
  /** Services that users cannot reach meanwhile. */
  stops: z.array(z.string()),
  /** For a rollback with the database: what comes back, in words, and the rows that only the current database has (null: not known). */
  comesBack: z.string().nullable(),
  since: tableDifferences.nullable(),
  /** An irreversible migration lies on the way, and airdock saves nothing of the data: the release declares no database. */
  unsavedData: z.boolean(),
  rollback: z.string(),
  findings: z.array(findingSchema),
});
export type HelmPlan = z.infer<typeof helmPlanDocument>;

type UpgradeRequest = {
  release: string;
  namespace: string;
  /** The context of the kubeconfig, where the operator named one. */
  context?: string | undefined;
  manifest: BundleManifest;
  /** `HOST/PATH`; undefined where images are pulled from the vendor's registries. */
  registry: string | undefined;
  rehearse: boolean;
  allowDowngrade: boolean;
  dataIsSavedElsewhere: boolean;
  ownerSuspended: boolean;
};

export function planUpgrade(facts: ClusterFacts, request: UpgradeRequest): HelmPlan {
  const { manifest, release, namespace, context, registry, rehearse } = request;
  const { from, pathClass, database, deployed } = facts;
  const { rollback } = commandsOf({ release, kubectl: { namespace, context } });
  const unsavedData = leavesDataUnsaved({ pathClass, target: manifest });
  const swaps = pathClass === 'irreversible' && database !== undefined;
  const steps = [
    ...(registry === undefined ? [] : ['push']),
    ...(database ? ['backup', ...(rehearse ? ['rehearse'] : [])] : []),
    ...(swaps ? ['quiesce', 'copy', 'migrate', 'swap', 'trial'] : []),
    'upgrade',
    'health',
  ];
  return {
    schema: 'airdock.helm-plan/1',
    product: manifest.product,
    release,
    namespace,
    kind: from === null ? 'install' : 'upgrade',
    from,
    to: manifest.version,
    class: pathClass,
    revision: deployed?.revision ?? null,
    toRevision: null,
    database: databaseOf(database, facts.databaseBytes),
    steps,
    stops: swaps ? manifest.writers : [],
    comesBack: null,
    since: null,
    unsavedData,
    rollback:
      from === null
        ? 'none: this is the first install'
        : from === manifest.version
          ? 'none: this version already runs'
          : unsavedData
            ? `to ${from}, once you have put its data back (airdock saves none of it): ${rollback(from, savedElsewhereFlag)}`
            : swaps
              ? `to ${from} with its database: ${rollback(from, restoreFlag)}`
              : `to ${from} by code alone: ${rollback(from)}`,
    findings: findingsOf(facts, request),
  };
}

export function databaseOf(place: DatabasePlace | undefined, bytes: number | null): HelmPlan['database'] {
  if (!place) return null;
  if (place.kind === 'pod') return { place: place.workload.name, name: place.name, bytes };
  return { place: `${place.url.host}:${place.url.port}`, name: place.url.name, bytes };
}

function findingsOf(facts: ClusterFacts, request: UpgradeRequest): Finding[] {
  const { record, from, deployed, revisions, owners, target, pathClass, missingRights } = facts;
  const { manifest, release, namespace, context, registry, allowDowngrade, dataIsSavedElsewhere } = request;
  const findings: Finding[] = [];
  const refuse = (code: FindingCode, text: string, fix: string) => void findings.push({ code, text, fix });
  const last = revisions.at(-1);
  if (last?.status.startsWith('pending'))
    refuse(
      'LOCKED',
      `helm is at work on ${release} (revision ${last.revision}, ${last.status}), or was killed`,
      // no transaction of airdock is open, or the command would have ended before
      deployed
        ? `If nobody is working on it, this command releases helm’s lock: helm rollback ${release} ${deployed.revision} -n ${namespace}`
        : `If nobody is working on it, run helm uninstall ${release} -n ${namespace} and try again; volumes stay.`,
    );
  if (deployed && from === null)
    refuse(
      'UPGRADE_PATH_REFUSED',
      `revision ${deployed.revision} has the version ${deployed.app_version}, which is not a semantic version`,
      'Upgrade with helm to a release that airdock can install.',
    );
  findings.push(
    ...pathFindings(
      {
        product: record?.product ?? null,
        from,
        highestGood: record?.highestGood ?? null,
        schemaRelease: record?.schemaRelease ?? null,
        securityFloor: record?.securityFloor ?? null,
        migrations: facts.migrations,
        pathClass,
        target: manifest,
        allowDowngrade,
        dataIsSavedElsewhere,
      },
      commandsOf({ release, kubectl: { namespace, context } }),
    ),
  );
  if (pathClass !== 'none' && !target.migration)
    refuse(
      'CHART_UNLABELLED',
      `the upgrade to ${manifest.version} changes the schema (${pathClass}), and with these values the chart has no Job labelled airdock.dev/migration=true`,
      'Enable migrations in the values (migration.enabled in NodePad’s chart), or ask the vendor for a chart that labels its Job.',
    );
  if (pathClass === 'irreversible' && !facts.database && manifest.database !== 'none')
    refuse(
      'DATABASE_UNREACHABLE',
      `code alone cannot take back the upgrade to ${manifest.version}, and the database of this release was not found`,
      'The bundle names the database’s workload and the variable with its URL. Ask the vendor whether the running chart fits the bundle.',
    );
  findings.push(
    ...ownerFindings(owners, {
      irreversible: pathClass === 'irreversible',
      suspended: request.ownerSuspended,
      instead: 'airdock helm prepare does all but the upgrade, and prints the values for it.',
    }),
  );
  if (!deployed && from !== null && owners.length === 0)
    refuse(
      'OWNED_BY_ANOTHER',
      `${from} runs in ${namespace}, but helm has no release ${release} of it: somebody installed it without helm`,
      'If a controller renders the chart, run airdock helm prepare, which does all but the upgrade. If the release has another name, helm list -A shows it.',
    );
  for (const missing of facts.missing)
    refuse(
      'SECRET_MISSING',
      `there is no ${missing.replace(/^the /, '')}, which pods of this release need`,
      `Make it: kubectl ${kubectlFlags({ kubectl: { namespace, context } })} create secret generic …; values-template.yaml in the bundle describes its content.`,
    );
  for (const conflict of facts.conflicts)
    refuse(
      'OWNED_BY_ANOTHER',
      `somebody else set a field that the chart sets to another value, and helm would be refused: ${conflict}`,
      conflictFix,
    );
  if (registry !== undefined)
    for (const image of new Set(target.workloads.map((one) => one.image)))
      if (!image.startsWith(`${registry}/`))
        refuse(
          'IMAGE_UNRESOLVED',
          `with these values the chart uses ${image}, which is not in ${registry}`,
          'Correct the values, or give --registry-value with the name of the value that sets the registry.',
        );
  for (const right of missingRights)
    refuse(
      'CLUSTER_FORBIDDEN',
      `you may not ${right}`,
      'The operator’s book, section 14, has the required rights as a manifest. Ask the administrators of the cluster.',
    );
  return findings;
}
