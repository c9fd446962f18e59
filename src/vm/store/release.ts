import type { BundleManifest } from '../../bundle/manifest.ts';
import type { Signer } from '../../bundle/signature.ts';
import { AirdockError } from '../../errors.ts';
import type { Store } from './store.ts';
import type { StoredRelease } from '../state/state.ts';

/** A release as a transaction needs it, whether it comes from a bundle or from the store. */
export type Release = {
  manifest: BundleManifest;
  /** `compose.yaml`, `env.template`…: the small files of the bundle. */
  files: ReadonlyMap<string, Buffer>;
  /** Undefined for one that was adopted without a bundle. */
  signer?: Signer;
};

export function releaseFile(release: Release, name: string): Buffer {
  const bytes = release.files.get(name);
  if (!bytes) throw new AirdockError('INTERNAL', `release ${release.manifest.version} has no ${name}`);
  return bytes;
}
/** A release as the store keeps it. @throws STORE_CORRUPT, BLOB_MISSING */
export async function readStoredRelease(store: Store, stored: StoredRelease): Promise<Release> {
  return { manifest: stored.manifest, files: await store.readRelease(stored.version) };
}
