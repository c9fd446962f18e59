import type { BundleManifest } from '../../bundle/manifest.ts';
import type { Signer } from '../../bundle/signature.ts';
import { AirdockError } from '../../errors.ts';
import type { Store } from './store.ts';
import type { StoredRelease } from '../state/state.ts';

/** A release, from a bundle or from the store. */
export type Release = {
  manifest: BundleManifest;
  /** The small files of the bundle: `compose.yaml`, `env.template`… */
  files: ReadonlyMap<string, Buffer>;
  /** Undefined when the release was adopted without a bundle. */
  signer?: Signer;
};

export function releaseFile(release: Release, name: string): Buffer {
  const bytes = release.files.get(name);
  if (!bytes) throw new AirdockError('INTERNAL', `release ${release.manifest.version} has no ${name}`);
  return bytes;
}
/** Reads a release from the store. @throws STORE_CORRUPT, BLOB_MISSING */
export async function readStoredRelease(store: Store, stored: StoredRelease): Promise<Release> {
  return { manifest: stored.manifest, files: await store.readRelease(stored.version) };
}
