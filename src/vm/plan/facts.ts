import type { BundleManifest } from '../../bundle/manifest.ts';
import type { EngineInfo } from '../../io/docker.ts';
import type { Finding } from '../../policy/finding.ts';
import type { KnownMigration } from '../../policy/migrations.ts';
import type { LoadPlan } from '../images/load-images.ts';
import type { NamedImage } from '../images/names.ts';
import type { Staged } from '../staging/stage.ts';
import type { Deployment } from '../state/state.ts';
import type { BlobKey } from '../store/store.ts';
import { changedServices } from './changed-services.ts';
import { lookAround, type Context, type LookOptions } from './context.ts';
import type { Plan } from './document.ts';
import type { DatabaseFacts } from './looks/database.ts';
import { preflight } from './preflight.ts';
import type { DiskFacts } from './preflight/disk.ts';
import { diskNeeds } from './preflight/disk-needs.ts';

/** Everything that a plan depends on, read once. */
export type Facts = {
  kind: Plan['kind'];
  directory: string;
  project: string;
  target: BundleManifest;
  signer: string | null;
  allowDowngrade: boolean;
  /** The operator's consent when airdock saves no data: they back the data up, or, for a rollback, have restored the data. */
  dataIsSavedElsewhere: boolean;
  /** False with `--no-rehearsal`. */
  rehearse: boolean;
  deployment: Deployment | undefined;
  migrations: KnownMigration[];
  engine: EngineInfo;
  names: NamedImage[];
  load: LoadPlan;
  missingBlobs: BlobKey[];
  env: { add: string[]; generated: string[]; missing: string[]; changed: string[] };
  staged: Staged | undefined;
  database: DatabaseFacts | null;
  disk: DiskFacts[];
  recreated: string[];
  removed: string[];
  added: string[];
  /** The database that a rollback would put in place, if the code cannot run on the live one. */
  restore: Plan['restore'];
  /** How the live database would be kept then; looked up when there are no other findings. */
  aside: Plan['aside'];
  since: Plan['since'];
  /** The operator agreed to put that database in place (`--restore-database`). */
  restoreDatabase: boolean;
  /** Declared volumes that are part of a backup. */
  saved: string[];
  /** Volumes that the project has already. */
  volumes: string[];
  findings: Finding[];
};

/** Collects the facts, and runs the checks. */
export async function gatherFacts(options: LookOptions): Promise<Facts> {
  const context = await lookAround(options);
  const { site, records, kind, release, deployment, engine, names, load, env, staged, database, saved, missingBlobs } = context;
  return {
    kind,
    directory: site.directory,
    project: site.project,
    target: release.manifest,
    signer: release.signer?.fingerprint ?? null,
    allowDowngrade: context.allowDowngrade ?? false,
    dataIsSavedElsewhere: context.dataIsSavedElsewhere ?? false,
    rehearse: rehearses(context),
    deployment,
    migrations: records?.state.migrations() ?? [],
    engine,
    names,
    load,
    missingBlobs,
    env: {
      add: env.merged?.added ?? [],
      generated: env.merged?.generated ?? [],
      missing: env.merged?.missing ?? [],
      changed: env.merged?.changed ?? [],
    },
    staged,
    database: database?.database ?? null,
    disk: await diskFacts(context),
    ...changedServices(context),
    restore: context.restore ?? null,
    aside: null,
    since: null,
    restoreDatabase: context.restoreDatabase ?? false,
    saved: saved.map(({ name }) => name),
    volumes: (await site.docker.volumes(site.project)).map((volume) => volume.name),
    findings: await preflight(context),
  };
}

async function diskFacts(context: Context): Promise<DiskFacts[]> {
  const { site, kind, release, engine, missingBlobs, installer, load, database, saved, pathClass, swaps } = context;
  return diskNeeds({
    site,
    engine,
    reserve: release.manifest.requires.disk,
    missingBlobs,
    installer,
    load,
    databaseBytes: database?.database?.bytes,
    volumeBytes: saved.length === 0 ? 0 : await site.docker.volumeBytes(saved.map(({ volume }) => volume)),
    walBytes: database?.walBytes ?? 0,
    writes: pathClass !== 'none',
    copies: swaps && !context.restore,
    restore: context.restore ?? null,
    rehearses: rehearses(context),
    backsUp: kind === 'upgrade',
    databaseElsewhere: database?.elsewhere ?? false,
  });
}

function rehearses({ kind, rehearse = true }: Context): boolean {
  return kind === 'upgrade' && rehearse;
}
