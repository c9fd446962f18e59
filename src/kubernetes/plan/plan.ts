import semver from 'semver';
import { z } from 'zod';
import { migrationClass, type BundleManifest } from '../../bundle/manifest.ts';
import { findingSchema, type Finding, type FindingCode } from '../../policy/finding.ts';
import { runsOn } from '../../policy/migrations.ts';
import { tableDifferences } from '../../data/postgres/compare/table-differences.ts';
import { conflictFix } from './conflicts.ts';
import type { DatabasePlace } from '../database/access.ts';
import type { ClusterFacts } from './facts.ts';
import { ownerFindings } from './owners.ts';
import { flagsOf, kubectlFlags } from '../record/site.ts';

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
  /** Null where there is none to back up yet; `bytes` null where it is elsewhere. */
  database: z.strictObject({ place: z.string(), name: z.string(), bytes: z.int().nullable() }).nullable(),
  steps: z.array(z.string()),
  /** Whom users cannot reach meanwhile. */
  stops: z.array(z.string()),
  /** Of a rollback that takes the database along: what comes back, in words, and what today's has that it has not (null: not known). */
  comesBack: z.string().nullable(),
  since: tableDifferences.nullable(),
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
  ownerSuspended: boolean;
};

export function planUpgrade(facts: ClusterFacts, wanted: Wanted): HelmPlan {
  const { manifest, release, namespace, context, registry, rehearse } = wanted;
  const { from, pathClass, database, deployed } = facts;
  const flags = flagsOf({ release, kubectl: { namespace, context } });
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
    rollback:
      from === null
        ? 'none: this is the first install'
        : from === manifest.version
          ? 'none: this version is what runs'
          : swaps
            ? `to ${from} with its database: airdock helm rollback ${from} --restore-database ${flags}`
            : `to ${from} by code alone: airdock helm rollback ${from} ${flags}`,
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
  const { manifest, release, namespace, context, registry, allowDowngrade } = wanted;
  const flags = flagsOf({ release, kubectl: { namespace, context } });
  const findings: Finding[] = [];
  const refuse = (code: FindingCode, text: string, fix: string) => void findings.push({ code, text, fix });
  if (record && record.product !== manifest.product)
    refuse('PRODUCT_MISMATCH', `${release} is ${record.product}, the bundle is ${manifest.product}`, 'Name another release.');
  const last = revisions.at(-1);
  if (last?.status.startsWith('pending'))
    refuse(
      'LOCKED',
      `helm is at work on ${release} (revision ${last.revision}, ${last.status}), or was killed`,
      // none of airdock's transactions is open, or it would have been told before
      deployed
        ? `Is nobody at work any more, helm itself lets go of it: helm rollback ${release} ${deployed.revision} -n ${namespace}`
        : `Is nobody at work any more: helm uninstall ${release} -n ${namespace}, and try again; volumes stay.`,
    );
  if (deployed && from === null)
    refuse(
      'UPGRADE_PATH_REFUSED',
      `revision ${deployed.revision} has the version ${deployed.app_version}, which is none`,
      'Upgrade by helm to a release that airdock knows.',
    );
  const highest = record?.highestGood ?? from;
  const schema = record?.schemaRelease ?? from;
  const runs = schema === null || semver.gte(manifest.version, schema) || runsOn(facts.migrations, manifest.version, schema);
  if (!runs)
    refuse(
      'DOWNGRADE_REFUSED',
      `${manifest.version} does not run on the database of ${schema}, which is here`,
      `To go back with its database: airdock helm rollback ${manifest.version} --restore-database ${flags}`,
    );
  else if (highest !== null && semver.lt(manifest.version, highest) && !allowDowngrade)
    refuse(
      'DOWNGRADE_REFUSED',
      `${manifest.version} is older than ${highest}, which ran here`,
      from !== null && semver.gt(manifest.version, from)
        ? '--allow-downgrade installs it all the same: its code runs on the database that is here.'
        : `To go back: airdock helm rollback ${manifest.version} ${flags}; if helm does not keep it: --allow-downgrade`,
    );
  if (record?.securityFloor != null && semver.lt(manifest.version, record.securityFloor))
    refuse(
      'DOWNGRADE_REFUSED',
      `${manifest.version} is below the security floor ${record.securityFloor}`,
      `Install ${record.securityFloor} or later.`,
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
  if (from !== null && !semver.satisfies(from, manifest.upgrade.from, { includePrerelease: true }))
    refuse(
      'UPGRADE_PATH_REFUSED',
      `${manifest.version} upgrades from ${manifest.upgrade.from} only, ${from} runs here`,
      'Install a release in between first.',
    );
  const stop =
    from === null ? undefined : manifest.upgrade.stops.find((one) => semver.gt(one, from) && semver.lt(one, manifest.version));
  if (stop !== undefined)
    refuse('UPGRADE_PATH_REFUSED', `the way from ${from} to ${manifest.version} stops at ${stop}`, `Install ${stop} first.`);
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
