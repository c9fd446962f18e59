import type { OpenBundle } from '../../bundle/reader.ts';
import { isDigest, type Digest } from '../../digest.ts';
import { AirdockError, isAirdockError } from '../../errors.ts';
import type { ManagedSite } from '../site/site.ts';
import type { BlobKey } from '../store/store.ts';

/** Repairs damaged or missing blobs of the store from any bundle of the product that has them. */

type StoreSite = Pick<ManagedSite, 'store' | 'host'>;

/** Runs `work`; when it meets a damaged blob that the bundle has, repairs the blob and runs `work` again. @throws what `work` throws */
export async function withRepair<T>(site: StoreSite, bundle: OpenBundle | undefined, work: () => Promise<T>): Promise<T> {
  const repaired = new Set<Digest>();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const digest = damagedBlob(error);
      if (digest === undefined || repaired.has(digest)) throw error;
      if (!(await putBack(site, digest, bundle))) throw beyondRepair(error as AirdockError, digest);
      repaired.add(digest);
      site.host.listener({ type: 'warning', text: `the stored blob ${digest} was damaged; it was put back from the bundle` });
    }
  }
}

/** Adds missing blobs to the store, as far as the bundle has them. */
export async function restock({ store }: StoreSite, blobs: readonly BlobKey[], bundle: OpenBundle | undefined): Promise<void> {
  if (!bundle) return;
  const missing = new Set((await store.missing(blobs)).map(({ digest }) => digest));
  if (missing.size === 0) return;
  for await (const blob of bundle.blobs())
    if (missing.has(blob.digest)) await store.putBlob(blob.digest, blob.size, blob.read({ lend: true }));
}

function damagedBlob(error: unknown): Digest | undefined {
  const digest = isAirdockError(error, 'STORE_CORRUPT') ? error.details?.['digest'] : undefined;
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

async function putBack({ store }: StoreSite, digest: Digest, bundle: OpenBundle | undefined): Promise<boolean> {
  if (!bundle) return false;
  const { installers } = bundle;
  for (const blob of [...installers, ...(await Array.fromAsync(bundle.blobs()))]) {
    if (blob.digest !== digest) continue;
    await store.putBlob(digest, blob.size, blob.read({ lend: true }));
    return true;
  }
  return false;
}

function beyondRepair(error: AirdockError, digest: Digest): AirdockError {
  return new AirdockError('STORE_CORRUPT', error.message, {
    hint: `The disk or somebody changed the file. Give a bundle of this or another release that has it: airdock rollback VERSION --bundle FILE, or airdock install FILE.`,
    cause: error,
    details: { digest },
  });
}
