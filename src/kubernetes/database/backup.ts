import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { BundleManifest } from '../../bundle/manifest.ts';
import { backupDatabase, type Backup } from '../../data/postgres/backup/backup.ts';
import { checkedBackup, proveIn } from '../../data/postgres/backup/prove.ts';
import { setPassword, migrateCopy } from '../../data/postgres/migration/rehearsal.ts';
import type { DatabaseTarget } from '../../data/postgres/server/server.ts';
import { readBackup } from '../../data/postgres/backup/stored-backup.ts';
import { interpolate } from '../../io/compose-interpolation.ts';
import { ensureDirectory } from '../../io/files.ts';
import { durationText } from '../../units.ts';
import type { LiveDatabase } from './access.ts';
import { runMigration } from '../pods/migration-pod.ts';
import { withoutDns, scratchLabels, scratchName, withScratchPod, type ScratchPod } from '../pods/scratch-pod.ts';
import { now, type KubernetesRelease } from '../record/site.ts';
import type { ChartObjects } from '../pods/workloads.ts';

/** Makes a backup named `RELEASE-20261127-021400`: several releases and machines may write to one directory. */
export async function makeClusterBackup(
  site: KubernetesRelease,
  target: DatabaseTarget,
  releases: { release: string | null; schemaRelease: string | null },
  onProgress: (bytes: number) => void,
): Promise<Backup & { id: string }> {
  await ensureDirectory(site.backupDirectory, 0o700);
  const base = `${site.release}-${now(site).replaceAll(/[-:Z]/g, '').replace('T', '-')}`;
  const taken = new Set(await readdir(site.backupDirectory));
  let id = base;
  for (let count = 2; taken.has(id); count++) id = `${base}-${count}`;
  const { tools, service, user, database } = target;
  const { release, schemaRelease } = releases;
  const made = await backupDatabase({
    tools,
    service,
    user,
    database,
    directory: path.join(site.backupDirectory, id),
    applicationName: 'airdock-backup',
    keys: site.keys,
    ...(release === null ? {} : { release }),
    ...(schemaRelease === null ? {} : { schemaRelease }),
    signal: site.host.signal,
    onProgress,
  });
  return { ...made, id };
}

export type Rehearsal = {
  manifest: BundleManifest;
  database: LiveDatabase;
  /** The migration Job of the new chart; undefined where the schema does not change. */
  migration: ChartObjects['migration'];
};

/** Restores a backup on a throwaway server and compares it; then the new release's migration runs there, and reaches nothing else. */
export async function proveAndRehearse(
  site: KubernetesRelease,
  id: string,
  { manifest, database, migration }: Rehearsal,
): Promise<string> {
  const backup = await checkedBackup(site, await readBackup(path.join(site.backupDirectory, id)), site.host.signal);
  return withScratchPod(site, { service: database.service, ...database.scratch }, async (scratch) => {
    const started = performance.now();
    const proof = await proveIn(site, scratch, backup, { signal: site.host.signal });
    const proven = `${id} proven in ${durationText(performance.now() - started)}`;
    if (!migration) return `${proven}; this release changes no schema`;
    return `${proven}; ${await migrateOnScratch(site, scratch, { manifest, migration, copy: proof.database, user: backup.metadata.user })}`;
  });
}

async function migrateOnScratch(
  site: KubernetesRelease,
  { server, address }: ScratchPod,
  {
    manifest,
    migration,
    copy,
    user,
  }: { manifest: BundleManifest; migration: NonNullable<ChartObjects['migration']>; copy: DatabaseTarget; user: string },
): Promise<string> {
  if (manifest.database === 'none') return 'no database';
  const password = randomBytes(24).toString('hex');
  await setPassword(server, user, password);
  const { userKey, passwordKey, nameKey } = manifest.database;
  const variables: Record<string, string> = { [userKey]: user, [passwordKey]: password, [nameKey]: copy.database };
  const declared = Object.entries(manifest.rehearsal?.env ?? {}).map(
    ([key, value]) => [key, interpolate(value, (name) => variables[name])] as const,
  );
  const run = {
    name: scratchName(site, 'migrate'),
    labels: scratchLabels(site),
    env: { ...Object.fromEntries(declared), ...variables },
    only: true,
    spec: { ...withoutDns, hostAliases: [{ ip: address, hostnames: [copy.service] }] },
    timeoutMs: 3_600_000,
  };
  return migrateCopy(copy, manifest.version, () => runMigration(site, migration, run));
}
