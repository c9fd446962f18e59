import { pipeline } from 'node:stream/promises';
import type { BackupWriter } from '../../data/postgres/backup/backup-writer.ts';
import type { BackupMetadata } from '../../data/postgres/backup/backup-metadata.ts';
import type { BundleManifest } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { EnvFile } from '../env/file.ts';
import { saveRedis } from './redis.ts';
import type { Site } from '../site/site.ts';

/** The parts of a backup besides the database: the state of Redis, declared volumes (docs/adr/0011-redis-and-volumes.md). */

type Manifest = Pick<BundleManifest, 'redis' | 'volumes' | 'database'>;

/** Returns a function that writes them into a backup. */
export function besideDatabase(site: Site, manifest: Manifest, env: EnvFile, signal?: AbortSignal) {
  return async (files: BackupWriter): Promise<Pick<BackupMetadata, 'redis' | 'volumes'>> => {
    const redis = manifest.redis?.kind === 'state' ? await saveRedis(site, manifest.redis, env, files, signal) : undefined;
    const volumes: NonNullable<BackupMetadata['volumes']> = [];
    for (const { name, volume } of await volumesHere(site, manifest)) {
      const image = await anyImage(site);
      const take = (tar: NodeJS.ReadableStream) => files.stream(`volume-${name}.tar`, (sink) => pipeline(tar, sink, { signal }));
      volumes.push({ name, ...(await site.docker.readVolume(volume, image, take)) });
    }
    return { redis, volumes: volumes.length > 0 ? volumes : undefined };
  };
}

/** Declared volumes that exist, with their names in the compose file and on the engine. */
export async function volumesHere(site: Site, manifest: Manifest): Promise<{ name: string; volume: string }[]> {
  if (manifest.volumes.length === 0) return [];
  const { volumes = {} } = await (await site.compose()).config();
  const declared = manifest.volumes.map((name) => ({ name, volume: volumes[name]?.name ?? `${site.project}_${name}` }));
  const existing = await site.docker.volumeNames();
  return declared.filter(({ volume }) => existing.includes(volume));
}

/** Any image of the project, for a container that is never started. */
async function anyImage(site: Site): Promise<string> {
  const [container] = await site.docker.containers({ project: site.project });
  if (container) return container.imageId;
  throw new AirdockError('BACKUP_FAILED', `project ${site.project} has no container, so its volumes cannot be read`, {
    hint: 'Start it (docker compose up -d) and try again.',
  });
}
