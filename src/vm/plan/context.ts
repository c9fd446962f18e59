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

/** What the command asks for. */
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
  /** False: no rehearsal, so the backup stays unproven. */
  rehearse?: boolean | undefined;
  /** Drift is no finding, because the plan corrects it. */
  discardLocal?: boolean | undefined;
};

/** What the command asks for, and the state of the deployment, read once before all checks. Reading changes nothing. */
export type Context = Omit<LookOptions, 'missingBlobs'> & {
  deployment: Deployment | undefined;
  /** The current release. */
  installed: StoredRelease | undefined;
  engine: EngineInfo;
  /** The containers of the project. */
  containers: ContainerInfo[];
  /** The worst migration class on the path of an upgrade. */
  pathClass: MigrationClass;
  /** Databases are swapped: the path has an irreversible migration, or the database goes back with the code. */
  swaps: boolean;
  names: NamedImage[];
  load: LoadPlan;
  env: StagedEnv;
  staged: Staged | undefined;
  compose: StagedCompose;
  /** Services in the current compose files. */
  services: string[];
  /** Undefined when the plan does not need the database. */
  database: DatabaseStanding | undefined;
  /** Declared volumes that are part of a backup. */
  saved: { name: string; volume: string }[];
  installer: BlobKey[];
  missingBlobs: BlobKey[];
};

/** Reads everything in order: a later part may need the result of an earlier one. */
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
