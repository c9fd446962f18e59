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
  /** helm's revision that runs, and, of a rollback, the one that it goes to. */
  revision: z.int().nullable(),
  toRevision: z.int().nullable(),
  /** Null where no database exists yet; `bytes` is null where the database is outside the cluster. */
  database: z.strictObject({ place: z.string(), name: z.string(), bytes: z.int().nullable() }).nullable(),
  steps: z.array(z.string()),
  /** Whom users cannot reach meanwhile. */
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

type Wanted = {
  release: string;
  namespace: string;
  /** Of the kubeconfig, where one was named. */
  context?: string | undefined;
  manifest: BundleManifest;
  /** `HOST/PATH`; undefined where the images are elsewhere. */
  registry: string | undefined;
  rehearse: boolean;
  allowDowngrade: boolean;
  dataIsSavedElsewhere: boolean;
  ownerSuspended: boolean;
};

export function planUpgrade(facts: ClusterFacts, wanted: Wanted): HelmPlan {
  const { manifest, release, namespace, context, registry, rehearse } = wanted;
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
          ? 'none: this version is what runs'
          : unsavedData
            ? `to ${from}, once you have put its data back, for airdock saves none of it: ${rollback(from, savedElsewhereFlag)}`
            : swaps
              ? `to ${from} with its database: ${rollback(from, restoreFlag)}`
              : `to ${from} by code alone: ${rollback(from)}`,
    findings: findingsOf(facts, wanted),
  };
}

export function databaseOf(place: DatabasePlace | undefined, bytes: number | null): HelmPlan['database'] {
  if (!place) return null;
  if (place.kind === 'pod') return { place: place.workload.name, name: place.name, bytes };
  return { place: `${place.url.host}:${place.url.port}`, name: place.url.name, bytes };
}

function findingsOf(facts: ClusterFacts, wanted: Wanted): Finding[] {
  const { record, from, deployed, revisions, owners, target, pathClass, mayNot } = facts;
  const { manifest, release, namespace, context, registry, allowDowngrade, dataIsSavedElsewhere } = wanted;
  const findings: Finding[] = [];
  const refuse = (code: FindingCode, text: string, fix: string) => void findings.push({ code, text, fix });
  const last = revisions.at(-1);
  if (last?.status.startsWith('pending'))
    refuse(
      'LOCKED',
      `helm is at work on ${release} (revision ${last.revision}, ${last.status}), or was killed`,
      // none of airdock's transactions is open, or it would have been told before
      deployed
        ? `If nobody is working on it, helm releases its own lock: helm rollback ${release} ${deployed.revision} -n ${namespace}`
        : `If nobody is working on it: helm uninstall ${release} -n ${namespace}, and try again; volumes stay.`,
    );
  if (deployed && from === null)
    refuse(
      'UPGRADE_PATH_REFUSED',
      `revision ${deployed.revision} has the version ${deployed.app_version}, which is not a semantic version`,
      'Upgrade by helm to a release that airdock knows.',
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
      `the way to ${manifest.version} changes the schema (${pathClass}), and with these values the chart has no Job labelled airdock.dev/migration=true`,
      'Leave migrations in the values (migration.enabled of NodePad’s chart), or ask the vendor for a chart that labels its Job.',
    );
  if (pathClass === 'irreversible' && !facts.database && manifest.database !== 'none')
    refuse(
      'DATABASE_UNREACHABLE',
      `the way to ${manifest.version} cannot be taken back by code, and the database of this release was not found`,
      'The bundle says which workload it is, and which variable has its URL: ask the vendor whether the chart that runs fits it.',
    );
  findings.push(
    ...ownerFindings(owners, {
      irreversible: pathClass === 'irreversible',
      suspended: wanted.ownerSuspended,
      instead: 'airdock helm prepare does all but the upgrade, and prints the values for it.',
    }),
  );
  if (!deployed && from !== null && owners.length === 0)
    refuse(
      'OWNED_BY_ANOTHER',
      `${from} runs in ${namespace}, and helm has no release ${release} of it: somebody else put it there`,
      'Is it a controller that renders the chart: airdock helm prepare does all but the upgrade. Else the name of the release may be another one: helm list -A.',
    );
  for (const what of facts.missing)
    refuse(
      'SECRET_MISSING',
      `there is no ${what.replace(/^the /, '')}, which pods of this release want`,
      `Make it: kubectl ${kubectlFlags({ kubectl: { namespace, context } })} create secret generic …; values-template.yaml in the bundle says what goes in.`,
    );
  for (const conflict of facts.conflicts)
    refuse(
      'OWNED_BY_ANOTHER',
      `somebody else set what the chart sets otherwise, and helm would be refused: ${conflict}`,
      conflictFix,
    );
  if (registry !== undefined)
    for (const image of new Set(target.workloads.map((one) => one.image)))
      if (!image.startsWith(`${registry}/`))
        refuse(
          'IMAGE_UNRESOLVED',
          `with these values the chart takes ${image}, which is not in ${registry}`,
          'Correct the values, or say with --registry-value which one names the registry.',
        );
  for (const right of mayNot)
    refuse(
      'CLUSTER_FORBIDDEN',
      `you may not ${right}`,
      'The operator’s book, section 14, has the rights that are needed, as a manifest.',
    );
  return findings;
}
