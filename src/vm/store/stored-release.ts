import type { Release } from './release.ts';
import type { StoredRelease } from '../state/state.ts';
import type { Store } from './store.ts';

/** A release as the store keeps it. @throws STORE_CORRUPT, BLOB_MISSING */
export async function readStoredRelease(store: Store, stored: StoredRelease): Promise<Release> {
  return { manifest: stored.manifest, files: await store.readRelease(stored.version) };
}
