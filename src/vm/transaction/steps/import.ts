import { manifestName, signatureName, sumsName } from '../../../bundle/names.ts';
import { blobsOf } from '../../../bundle/layout.ts';
import type { OpenBundle } from '../../../bundle/reader.ts';
import type { BundleBlob } from '../../../bundle/release.ts';
import { AirdockError } from '../../../errors.ts';
import { bytesText } from '../../../units.ts';
import { installerOf, unpackInstaller } from '../../site/installer.ts';
import { withRepair } from '../repair-store.ts';
import type { BlobKey } from '../../store/store.ts';
import type { Progress } from '../../../events.ts';
import type { Transaction } from '../transaction.ts';
import { secondsFor, type Step } from '../step.ts';

export const importStep = {
  id: 'import',
  stop: false,
  estimate: ({ missingBlobs }) =>
    secondsFor(
      missingBlobs.reduce((sum, blob) => sum + blob.size, 0),
      300e6,
    ),
  run: importRelease,
} satisfies Step;

/** Writes missing blobs into the store in one pass over the bundle, then the small files, then the record of the release. */
export async function importRelease(
  { site, record, bundle, signal }: Pick<Transaction, 'site' | 'record' | 'bundle' | 'signal'>,
  progress: Progress,
): Promise<string> {
  if (!bundle) throw new AirdockError('INTERNAL', 'a bundle is imported by the process that opened it');
  const { manifest } = bundle;
  const installer = installerOf(manifest);
  const blobs: BlobKey[] = [...blobsOf(manifest.images), ...installer];
  const missing = new Map((await site.store.missing(blobs)).map((blob) => [blob.digest, blob.size]));
  const newBlobs = missing.size;
  const total = [...missing.values()].reduce((sum, size) => sum + size, 0);
  const presentBytes = blobs.reduce((sum, blob) => sum + blob.size, 0) - total;
  let done = 0;
  for await (const blob of blobsIn(bundle)) {
    if (!missing.delete(blob.digest)) continue;
    await site.store.putBlob(
      blob.digest,
      blob.size,
      counted(blob.read({ lend: true }), (bytes) => progress((done += bytes), total), signal),
    );
  }
  if (missing.size > 0)
    throw new AirdockError(
      'BLOB_MISSING',
      `the bundle leaves out ${[...missing.keys()].join(', ')}, and the store does not have it`,
      {
        hint: 'Use the full bundle.',
      },
    );
  for (const { digest } of installer) await withRepair(site, bundle, () => unpackInstaller(site, record.id, digest));
  await site.store.putRelease(
    manifest.version,
    new Map([
      ...bundle.files,
      [manifestName, bundle.manifestBytes],
      [sumsName, bundle.sumsBytes],
      [signatureName, bundle.signatureBytes],
    ]),
  );
  const now = site.host.clock().toISOString();
  site.state.commit(() => {
    site.state.putRelease({ version: manifest.version, origin: 'bundle', manifest, storedAt: now });
    site.state.learnMigrations(manifest.migrations);
    site.state.trust.pinSigner(bundle.signer, now);
  });
  return `${newBlobs} new ${newBlobs === 1 ? 'blob' : 'blobs'}, ${bytesText(total)}, ${bytesText(presentBytes)} already here`;
}

/** All blobs of the bundle, in the order of the file. */
async function* blobsIn(bundle: OpenBundle): AsyncIterable<BundleBlob> {
  yield* bundle.installers;
  yield* bundle.blobs();
}

async function* counted(
  chunks: AsyncIterable<Buffer>,
  count: (bytes: number) => void,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    count(chunk.length);
    yield chunk;
  }
}
