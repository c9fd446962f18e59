import { assertDatabaseImageFits } from '../check-database-image.ts';
import { blobsOf } from '../../../bundle/layout.ts';
import { loadRelease } from '../../images/load-release.ts';
import { restock, withRepair } from '../repair-store.ts';
import { bytesText } from '../../../units.ts';
import type { Progress } from '../../../events.ts';
import type { Transaction } from '../transaction.ts';
import { secondsFor, type Step } from '../step.ts';

export const load = {
  id: 'load',
  stop: false,
  estimate: (facts) => secondsFor(facts.load.uncompressedBytes, 80e6),
  run,
} satisfies Step;

/** Loads the release's images that the engine lacks; every image is compared afterwards. */
async function run(transaction: Transaction, progress: Progress): Promise<string> {
  const { site, target, names, bundle, signal } = transaction;
  await restock(site, blobsOf(target.manifest.images), bundle);
  const report = await withRepair(site, bundle, () =>
    loadRelease(site, target.manifest.version, names, { signal, onProgress: progress }),
  );
  await assertDatabaseImageFits(transaction);
  if (report.loaded.length === 0 && report.tagged.length === 0) return 'all images are on the engine already';
  const images = `${report.loaded.length} ${report.loaded.length === 1 ? 'image' : 'images'}, ${bytesText(report.bytes)}`;
  return report.full ? `${images}, loaded again with all layers` : images;
}
