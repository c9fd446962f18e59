import semver from 'semver';
import type { BundleManifest } from '../../bundle/manifest.ts';
import { classOfPath, withMigrations, type KnownMigration } from '../../policy/migrations.ts';
import type { MigrationClass } from '../../bundle/manifest.ts';
import type { Revision } from '../../io/helm-releases.ts';
import { fieldConflicts } from './conflicts.ts';
import { missingSecrets } from './needed-secrets.ts';
import { databasePlace, sizeOf, type DatabasePlace } from '../database/access.ts';
import { ownersOf, versionWithoutHelm, type Owner } from './owners.ts';
import type { ClusterRecord } from '../record/record.ts';
import { servingOf } from '../record/revisions.ts';
import type { KubernetesRelease } from '../record/site.ts';
import { writersOf } from '../pods/workloads.ts';
import { chartObjects, type ChartObjects } from '../pods/workloads.ts';

/** The state of the cluster before anything is done. */
export type ClusterFacts = {
  record: ClusterRecord | undefined;
  revisions: Revision[];
  /** The revision whose pods run; undefined before the first install, and where somebody other than helm made the pods. */
  deployed: Revision | undefined;
  from: string | null;
  pathClass: MigrationClass;
  migrations: KnownMigration[];
  /** The chart's objects as they run now (`running`), and as the bundle's chart makes them with these values (`target`). */
  running: ChartObjects;
  target: ChartObjects;
  database: DatabasePlace | undefined;
  /** Null where the database is outside the cluster: it is not in reach yet. */
  databaseBytes: number | null;
  /** Other owners of objects that helm and airdock would change. */
  owners: Owner[];
  /** Fields that others own and that the chart sets to another value; empty where such fields are taken over. */
  conflicts: string[];
  /** Secrets that pods would wait for. */
  missing: string[];
  /** Rights that the operator lacks: `create pods/exec`. */
  missingRights: string[];
};

/** Reads only. @throws CLUSTER_*, STATE_TOO_NEW, DATABASE_UNREACHABLE */
export async function readFacts(
  site: KubernetesRelease,
  manifest: BundleManifest,
  rendered: string,
  { forceConflicts }: { forceConflicts: boolean },
): Promise<ClusterFacts> {
  const { kubectl, helm, release } = site;
  const record = await site.records.read();
  const revisions = await helm.history(release);
  const deployed = servingOf(revisions, record);
  const target = chartObjects(rendered);
  const running = deployed ? chartObjects(await helm.manifest(release, deployed.revision)) : emptyChart;
  const from = deployed
    ? semver.valid(deployed.app_version)
    : await versionWithoutHelm(site, revisions, writersOf(manifest, target));
  const installed = deployed !== undefined || from !== null;
  const migrations = withMigrations(record?.migrations ?? [], manifest.migrations);
  // a running chart without airdock's labels: its workloads have the same names as those of the new chart
  const current = running.workloads.length > 0 || !installed ? running : target;
  const database = installed ? await databasePlace(site, manifest, current) : undefined;
  return {
    record,
    revisions,
    deployed,
    from,
    pathClass: from === null ? 'none' : classOfPath(migrations, from, manifest.version),
    migrations,
    running: current,
    target,
    database,
    databaseBytes: database ? await sizeOf(site, database) : null,
    owners: installed ? await ownersOf(site, current.workloads) : [],
    conflicts: deployed && !forceConflicts ? await fieldConflicts(site, rendered) : [],
    missing: await missingSecrets(kubectl, rendered, target),
    missingRights: await missingRights(site),
  };

  async function missingRights({ kubectl: asked }: KubernetesRelease): Promise<string[]> {
    const needed = [
      ['create', 'secrets'],
      ['create', 'pods'],
      ['create', 'pods/exec'],
      ['get', 'pods/log'],
      ['get', 'services/proxy'],
      ['patch', 'deployments.apps/scale'],
      ['create', 'networkpolicies.networking.k8s.io'],
      ['delete', 'jobs.batch'],
    ] as const;
    const allowed = await Promise.all(needed.map(([verb, resource]) => asked.may(verb, resource)));
    return needed.filter((_one, index) => !allowed[index]).map((one) => one.join(' '));
  }
}

const emptyChart: ChartObjects = { workloads: [], migration: undefined, services: [] };
