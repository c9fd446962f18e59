import semver from 'semver';
import { z } from 'zod';
import { migrationClass, type BundleManifest } from '../bundle/manifest.ts';
import { runsOn } from '../bundle/class-of-path.ts';
import { tableDifferences } from '../database/table-differences.ts';
import { conflictFix } from './conflicts.ts';
import type { DatabasePlace } from './database.ts';
import type { ClusterFacts } from './look.ts';
import { flagsOf } from './site.ts';

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
  findings: z.array(z.strictObject({ code: z.string(), text: z.string(), fix: z.string() })),
});
export type HelmPlan = z.infer<typeof helmPlanDocument>;

type Wanted = {
  release: string;
  namespace: string;
  manifest: BundleManifest;
  /** `HOST/PATH`; undefined where the images are elsewhere. */
  registry: string | undefined;
  rehearse: boolean;
  allowDowngrade: boolean;
};

export function planUpgrade(facts: ClusterFacts, wanted: Wanted): HelmPlan {
  const { manifest, release, namespace, registry, rehearse } = wanted;
  const { from, pathClass, database, deployed } = facts;
  const flags = flagsOf({ release, kubectl: { namespace } });
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

function findingsOf(facts: ClusterFacts, wanted: Wanted): HelmPlan['findings'] {
  const { record, from, deployed, revisions, owners, target, pathClass, mayNot } = facts;
  const { manifest, release, namespace, registry, allowDowngrade } = wanted;
  const flags = flagsOf({ release, kubectl: { namespace } });
  const findings: HelmPlan['findings'] = [];
  const refuse = (code: string, text: string, fix: string) => void findings.push({ code, text, fix });
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
  for (const owner of owners) {
    const text = `${owner.kind} ${owner.name} looks after ${owner.of}`;
    if (owner.kind !== 'HorizontalPodAutoscaler')
      refuse(
        'OWNED_BY_ANOTHER',
        `${text}, and would undo what is done here`,
        'airdock helm prepare does all but the upgrade, and prints the values for it.',
      );
    else if (pathClass === 'irreversible')
      refuse(
        'OWNED_BY_ANOTHER',
        `${text}, and would bring writers back while the database changes`,
        `Suspend it first: kubectl delete hpa ${owner.name} (keep its manifest), and apply it again afterwards.`,
      );
  }
  for (const what of facts.missing)
    refuse(
      'SECRET_MISSING',
      `there is no ${what.replace(/^the /, '')}, which pods of this release want`,
      `Make it: kubectl -n ${namespace} create secret generic …; values-template.yaml in the bundle says what goes in.`,
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
          'IMAGE_NOT_FOUND',
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
