import path from 'node:path';
import { blobsOf } from '../../bundle/layout.ts';
import type { MigrationClass } from '../../bundle/manifest.ts';
import type { Digest } from '../../digest.ts';
import type { ContainerInfo } from '../../io/container.ts';
import type { EngineInfo } from '../../io/docker.ts';
import { readIfExists } from '../../io/files.ts';
import { classOfPath, withMigrations } from '../../policy/migrations.ts';
import { volumesHere } from '../backups/volumes-and-redis.ts';
import { parseEnvFile } from '../env/file.ts';
import type { EnvInputs } from '../env/template.ts';
import { planLoad, type LoadPlan } from '../images/load-images.ts';
import { knownImages } from '../images/load-release.ts';
import { imageNamesHere, type NamedImage } from '../images/names.ts';
import { installerOf } from '../site/installer.ts';
import type { Records, Site } from '../site/site.ts';
import { stageCompose, type Staged } from '../staging/stage.ts';
import type { Deployment, StoredRelease } from '../state/state.ts';
import type { Release } from '../store/release.ts';
import type { BlobKey } from '../store/store.ts';
import type { Plan } from './document.ts';
import { lookAtDatabase, type DatabaseStanding } from './looks/database.ts';
import { lookAtServices } from './looks/services.ts';
import { lookAtCompose, lookAtEnv, type StagedCompose, type StagedEnv } from './looks/staged.ts';

/** What is asked for. */
export type LookOptions = {
  site: Site;
  records: Records | undefined;
  kind: Plan['kind'];
  release: Release;
  inputs: EnvInputs;
  /** Blobs of the release that the store does not hold. */
  missingBlobs(blobs: readonly BlobKey[]): Promise<BlobKey[]>;
  /** False for a blob that neither the store nor the bundle has. */
  inBundle?: ((digest: Digest) => boolean) | undefined;
  allowDowngrade?: boolean | undefined;
  dataIsSavedElsewhere?: boolean | undefined;
  /** The database that a rollback would put in place. */
  restore?: Plan['restore'] | undefined;
  restoreDatabase?: boolean | undefined;
  /** False: the backup stays unproven, and the live database is the first to see the migration. */
  rehearse?: boolean | undefined;
  /** Differences between records and disk do not stand against it: the plan puts them right. */
  discardLocal?: boolean | undefined;
};

/** What was asked for, and what is here: looked up once, before any check. Nothing is changed by looking. */
export type Context = Omit<LookOptions, 'missingBlobs'> & {
  deployment: Deployment | undefined;
  /** The release that is current here. */
  installed: StoredRelease | undefined;
  engine: EngineInfo;
  /** Of the project. */
  containers: ContainerInfo[];
  /** The worst class on the way of an upgrade. */
  pathClass: MigrationClass;
  /** The way has an irreversible migration, or the database goes back with the code. */
  swaps: boolean;
  names: NamedImage[];
  load: LoadPlan;
  env: StagedEnv;
  staged: Staged | undefined;
  compose: StagedCompose;
  /** Of the compose files that are here. */
  services: string[];
  /** Undefined where nothing is asked of it. */
  database: DatabaseStanding | undefined;
  /** Declared volumes that a backup takes along. */
  saved: { name: string; volume: string }[];
  installer: BlobKey[];
  missingBlobs: BlobKey[];
};

/** One look after another: a later one may need what an earlier one saw. */
export async function lookAround(options: LookOptions): Promise<Context> {
  const { site, records, kind, release } = options;
  const { manifest } = release;
  const deployment = records?.state.deployment();
  const installed = deployment?.current ? records?.state.release(deployment.current) : undefined;
  const engine = await site.docker.info();
  const containers = await site.docker.containers({ project: site.project });
  const current = await readIfExists(path.join(site.directory, '.env'));
  const pathClass = upgradeClass(options, deployment);
  const swaps = manifest.database !== 'none' && (Boolean(options.restore) || pathClass === 'irreversible');

  const names = await imageNamesHere(release, engine, site, containers);
  const load = await planLoad(names, site.docker, knownImages(records));
  const env = lookAtEnv(kind, release, current, options.inputs);
  const staged = env.merged && { compose: stageCompose(release, names, env.merged.bytes), env: env.merged.bytes };
  const compose = await lookAtCompose(site, staged);
  const services = await lookAtServices(site, deployment);
  const asksDatabase = current && (kind === 'upgrade' || options.restore);
  const database = asksDatabase
    ? await lookAtDatabase(site, manifest, parseEnvFile(current, '.env'), containers, swaps)
    : undefined;
  const saved = kind === 'upgrade' ? await volumesHere(site, manifest) : [];
  // a rollback keeps the installer that is here (docs/adr/0006)
  const installer = kind === 'rollback' ? [] : installerOf(manifest);
  const missingBlobs = await options.missingBlobs([...blobsOf(manifest.images), ...installer]);

  const seen = { names, load, env, staged, compose, services, database, saved, installer, missingBlobs };
  return { ...options, deployment, installed, engine, containers, pathClass, swaps, ...seen };
}

function upgradeClass({ kind, records, release: { manifest } }: LookOptions, deployment: Deployment | undefined): MigrationClass {
  if (kind !== 'upgrade' || !deployment?.current) return 'none';
  const migrations = withMigrations(records?.state.migrations() ?? [], manifest.migrations);
  return classOfPath(migrations, deployment.current, manifest.version);
}
