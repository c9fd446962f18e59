import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Platform } from '../bundle/manifest.ts';
import { isDigest, shortDigest, type Digest } from '../digest.ts';
import { AirdockError, systemCode } from '../errors.ts';
import type { Collected, ResolvedImage } from '../images/collect.ts';
import { replaceFile } from '../io/files.ts';

/** `airdock.lock.json` beside the configuration: the digest that each reference had when it was first built. */
const lockFile = z.strictObject({
  schema: z.literal('airdock.lock/1'),
  /** Reference -> digest; an image without a registry also has its platform: `NAME linux/arm64`. */
  images: z.record(
    z.string(),
    z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'not a sha256 digest'),
  ),
});

export type Lock = { path: string; images: Readonly<Record<string, Digest>> };
export type Locked = { key: string; digest: Digest };

/** @throws AirdockError CONFIG_INVALID */
export async function readLock(path: string): Promise<Lock> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { path, images: {} };
    throw error;
  }
  try {
    return { path, images: lockFile.parse(JSON.parse(text)).images };
  } catch (error) {
    throw new AirdockError('CONFIG_INVALID', `${path} is not a lock file of airdock`, {
      hint: 'Restore it from version control, or remove it: the next build writes a new one.',
      cause: error,
    });
  }
}

/** The lock entries of images from registries: their digests are known before anything is fetched. */
export function lockedBefore(resolved: readonly ResolvedImage[]): Locked[] {
  return resolved.flatMap(({ name, source, indexDigest, manifest }) => {
    const digest = indexDigest ?? manifest?.digest;
    return source.origin === 'registry' && digest !== undefined ? [{ key: name.canonical, digest }] : [];
  });
}

/** The lock entries of all other images: their digests differ by platform and are known only after collecting. */
export function lockedAfter(collected: readonly Collected[], resolved: readonly ResolvedImage[], platform: Platform): Locked[] {
  return collected.flatMap(({ record }, index) =>
    resolved[index]?.source.origin === 'registry'
      ? []
      : [{ key: `${record.reference} ${platform}`, digest: record.manifestDigest }],
  );
}

/** Compares digests with the lock and counts known and new entries. @throws AirdockError LOCK_MISMATCH naming every tag that moved */
export function checkLock(lock: Lock, found: readonly Locked[]): { unchanged: number; added: number } {
  const moved = found.filter(({ key, digest }) => lock.images[key] !== undefined && lock.images[key] !== digest);
  if (moved.length > 0) {
    const list = moved.map(
      ({ key, digest }) => `${key} is now ${shortDigest(digest)}, was ${shortDigest(lock.images[key] ?? digest)}`,
    );
    throw new AirdockError('LOCK_MISMATCH', `${list.join('; ')} (${lock.path})`, {
      hint: 'The tag was moved since the first build. If that is intended, build with --update-lock; if not, find out who moved it.',
      details: { moved: moved.map(({ key, digest }) => ({ image: key, was: lock.images[key], is: digest })) },
    });
  }
  const unchanged = found.filter(({ key }) => lock.images[key] !== undefined).length;
  return { unchanged, added: found.length - unchanged };
}

/** Adds entries to the lock file; entries of other releases stay. Writes nothing when nothing changes. */
export async function writeLock(lock: Lock, found: readonly Locked[]): Promise<void> {
  const images = { ...lock.images, ...Object.fromEntries(found.map(({ key, digest }) => [key, digest])) };
  if (found.every(({ key, digest }) => lock.images[key] === digest)) return;
  const sorted = Object.fromEntries(Object.entries(images).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await replaceFile(lock.path, `${JSON.stringify({ schema: 'airdock.lock/1', images: sorted }, null, 2)}\n`, { mode: 0o644 });
}
