import path from 'node:path';
import { blobsOf } from '../../bundle/layout.ts';
import type { BundleManifest, MigrationClass } from '../../bundle/manifest.ts';
import type { Digest } from '../../digest.ts';
import { isAirdockError } from '../../errors.ts';
import type { EngineInfo } from '../../io/docker.ts';
import { readIfExists } from '../../io/files.ts';
import { volumesHere } from '../backups/volumes-and-redis.ts';
import { classOfPath, withMigrations, type KnownMigration } from '../../policy/migrations.ts';
import { diskNeeds } from './preflight/disk-needs.ts';
import { driftFixes, findDrift, type Drift } from './drift.ts';
import { parseEnvFile } from '../env/file.ts';
import type { EnvInputs } from '../env/template.ts';
import type { NamedImage } from '../images/names.ts';
import { installerOf } from '../site/installer.ts';
import { planLoad, type LoadPlan } from '../images/load-images.ts';
import { imageNamesHere } from '../images/names.ts';
import type { Plan } from './document.ts';
import type { Finding } from '../../policy/finding.ts';
import { checkDatabase, type DatabaseFacts } from './preflight/database.ts';
import type { DiskFacts } from './preflight/disk.ts';
import { checkShut } from './preflight/swap.ts';
import { checkVersions } from './preflight/engine.ts';
import { envOf, render } from './preflight/staged.ts';
import { checkImages, checkNames, checkPorts, checkRunning, recreatedServices } from './preflight/services.ts';
import type { Release } from '../store/release.ts';
import type { Records, Site } from '../site/site.ts';
import { stageCompose, type Staged } from '../staging/stage.ts';
import type { Deployment } from '../state/state.ts';
import type { BlobKey } from '../store/store.ts';
import { knownImages } from '../images/load-release.ts';

/** Everything that a plan depends on, looked up once and then only read. Nothing is changed by looking. */
export type Facts = {
  kind: Plan['kind'];
  directory: string;
  project: string;
  target: BundleManifest;
  signer: string | null;
  allowDowngrade: boolean;
  /** The operator backs the data up, where airdock does not; on a way back: has put the data back. */
  dataIsSavedElsewhere: boolean;
  /** An upgrade is rehearsed unless somebody said no. */
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
  /** The database that a rollback would put in place, where the code cannot run on the live one. */
  restore: Plan['restore'];
  /** What of the live one would be left aside then: looked up when nothing else stands against it. */
  aside: Plan['aside'];
  since: Plan['since'];
  /** The operator agreed to that. */
  restoreDatabase: boolean;
  /** Declared volumes that a backup takes along. */
  saved: string[];
  /** Volumes of the project that are there before. */
  volumes: string[];
  findings: Finding[];
};

export type FactsOptions = {
  site: Site;
  records: Records | undefined;
  kind: Plan['kind'];
  release: Release;
  inputs: EnvInputs;
  /** Blobs of the release that the store does not hold. */
  missingBlobs(blobs: readonly BlobKey[]): Promise<BlobKey[]>;
  /** False for a blob that neither the store nor the bundle has. */
  inBundle?: (digest: Digest) => boolean;
  allowDowngrade?: boolean;
  dataIsSavedElsewhere?: boolean;
  restore?: Plan['restore'];
  restoreDatabase?: boolean;
  /** False: the backup stays unproven, and the live database is the first to see the migration. */
  rehearse?: boolean;
  /** Differences between records and disk do not stand against it: the plan puts them right. */
  discardLocal?: boolean;
};

export async function gatherFacts(options: FactsOptions): Promise<Facts> {
  const { site, records, kind, release, inputs } = options;
  const { manifest } = release;
  const deployment = records?.state.deployment();
  const engine = await site.docker.info();
  const containers = await site.docker.containers({ project: site.project });
  const current = await readIfExists(path.join(site.directory, '.env'));
  const findings: Finding[] = [];

  const names = await imageNamesHere(release, engine, site, containers);
  const load = await planLoad(names, site.docker, knownImages(records));
  findings.push(...(await checkNames(names, site.docker, engine)));
  const merged = await envOf(kind, release, current, inputs, findings);
  const staged = merged && { compose: stageCompose(release, names, merged.bytes), env: merged.bytes };
  const model = staged && (await render(site, staged, findings));

  findings.push(...(await checkVersions(manifest, engine, await site.compose())));
  if (model)
    findings.push(...(await checkImages(model.model, names, site.docker)), ...(await checkPorts(model.model, containers)));
  const running = await currentServices(site, deployment);
  if (deployment?.current) {
    const stored = records?.state.release(deployment.current);
    if (kind === 'upgrade') findings.push(...checkRunning(containers, running));
    const drift = await findDrift({
      directory: site.directory,
      deployment,
      release: stored,
      containers,
      engine,
      docker: site.docker,
    });
    if (!options.discardLocal) findings.push(...drift.map(driftFinding));
  }
  const rehearses = kind === 'upgrade' && (options.rehearse ?? true);
  const swaps = swapsDatabase(options, deployment?.current ?? null);
  const before = deployment?.current ? records?.state.release(deployment.current)?.manifest : undefined;
  if (model && swaps) findings.push(...checkShut(model.model, before ? [before, manifest] : [manifest]));
  const adopted = deployment?.current ? records?.state.release(deployment.current)?.origin === 'adopted' : false;
  const database =
    current && (kind === 'upgrade' || options.restore)
      ? await checkDatabase(site, manifest, parseEnvFile(current, '.env'), containers, swaps)
      : undefined;
  findings.push(...(database?.findings ?? []));

  const saved = kind === 'upgrade' ? await volumesHere(site, manifest) : [];

  // a rollback keeps the installer that is here (docs/adr/0006)
  const installer = kind === 'rollback' ? [] : installerOf(manifest);
  const missingBlobs = await options.missingBlobs([...blobsOf(manifest.images), ...installer]);
  findings.push(...slimFindings(missingBlobs, options.inBundle));
  return {
    kind,
    directory: site.directory,
    project: site.project,
    target: manifest,
    signer: release.signer?.fingerprint ?? null,
    allowDowngrade: options.allowDowngrade ?? false,
    dataIsSavedElsewhere: options.dataIsSavedElsewhere ?? false,
    rehearse: rehearses,
    deployment,
    migrations: records?.state.migrations() ?? [],
    engine,
    names,
    load,
    missingBlobs,
    env: {
      add: merged?.added ?? [],
      generated: merged?.generated ?? [],
      missing: merged?.missing ?? [],
      changed: merged?.changed ?? [],
    },
    staged,
    database: database?.database ?? null,
    disk: await diskNeeds({
      site,
      engine,
      reserve: manifest.requires.disk,
      missingBlobs,
      installer,
      load,
      databaseBytes: database?.database?.bytes,
      volumeBytes: saved.length === 0 ? 0 : await site.docker.volumeBytes(saved.map(({ volume }) => volume)),
      walBytes: database?.walBytes ?? 0,
      writes: migrates(options, deployment?.current ?? null),
      copies: swaps && !options.restore,
      restore: options.restore ?? null,
      rehearses,
      backsUp: kind === 'upgrade',
      databaseElsewhere: database?.elsewhere ?? false,
    }),
    recreated: model ? recreatedServices(containers, model.model, model.hashes, names, engine) : [],
    // An adopted stack without a bundle is the operator's: what the release does not name may be theirs.
    removed: model && !adopted ? running.filter((service) => !(service in model.model.services)) : [],
    added: model && running.length > 0 ? Object.keys(model.model.services).filter((service) => !running.includes(service)) : [],
    restore: options.restore ?? null,
    aside: null,
    since: null,
    restoreDatabase: options.restoreDatabase ?? false,
    saved: saved.map(({ name }) => name),
    volumes: (await site.docker.volumes(site.project)).map((volume) => volume.name),
    findings,
  };
}

/** The way has an irreversible migration, or the database goes back with the code. */
function swapsDatabase(options: FactsOptions, from: string | null): boolean {
  const { database } = options.release.manifest;
  return database !== 'none' && (Boolean(options.restore) || upgradeClass(options, from) === 'irreversible');
}

function migrates(options: FactsOptions, from: string | null): boolean {
  return upgradeClass(options, from) !== 'none';
}

function upgradeClass({ kind, records, release: { manifest } }: FactsOptions, from: string | null): MigrationClass {
  if (kind !== 'upgrade' || from === null) return 'none';
  return classOfPath(withMigrations(records?.state.migrations() ?? [], manifest.migrations), from, manifest.version);
}

async function currentServices(site: Site, deployment: Deployment | undefined): Promise<string[]> {
  if (!deployment?.current) return [];
  try {
    return Object.keys((await (await site.compose()).config()).services);
  } catch (error) {
    if (isAirdockError(error, 'COMPOSE_INVALID')) return []; // drift says what is wrong with the files
    throw error;
  }
}

function driftFinding({ what, text }: Drift): Finding {
  return { code: 'DRIFT', text, fix: driftFixes[what] };
}

function slimFindings(missing: readonly BlobKey[], inBundle: FactsOptions['inBundle']): Finding[] {
  const absent = inBundle ? missing.filter((blob) => !inBundle(blob.digest)) : [];
  if (absent.length === 0) return [];
  return [
    {
      code: 'BLOB_MISSING',
      text: `the bundle leaves out ${absent.length} blobs that are not in the store here: ${absent.map((blob) => blob.digest).join(', ')}`,
      fix: 'Use the full bundle, or first install the release that the slim one was cut against.',
    },
  ];
}
