import { z } from 'zod';
import { AirdockError } from '../errors.ts';
import type { ImageRecord } from './manifest.ts';
import { checkValueLimit } from './values.ts';

/** Checks that manifest and config of an image agree with `bundle.json`, so that all engines get the same image (docs/FORMAT.md section 6). */

const descriptor = z.object({ digest: z.string(), size: z.number() });
const manifestDocument = z.object({ config: descriptor, layers: z.array(descriptor) });
const configDocument = z.object({ rootfs: z.object({ diff_ids: z.array(z.string()) }) });

/** @throws BUNDLE_LAYOUT_INVALID, BUNDLE_ENTRY_TOO_LARGE */
export function checkImageDocuments(image: ImageRecord, manifestBytes: Buffer, configBytes: Buffer): void {
  checkValueLimit(`the manifest of ${image.reference}`, manifestBytes);
  checkValueLimit(`the config of ${image.reference}`, configBytes);
  const manifest = manifestDocument.safeParse(parse(manifestBytes));
  if (!manifest.success) throw invalid(image, 'its manifest is not an image manifest');
  const { config, layers } = manifest.data;
  if (config.digest !== image.configDigest || config.size !== image.configSize)
    throw invalid(image, 'its manifest names another config');
  const named = image.layers.map(({ digest, size }) => `${digest} ${size}`);
  if (layers.map(({ digest, size }) => `${digest} ${size}`).join() !== named.join()) {
    throw invalid(image, 'its manifest names other layers');
  }
  const document = configDocument.safeParse(parse(configBytes));
  const diffIds = image.layers.map(({ diffId }) => diffId);
  if (!document.success || document.data.rootfs.diff_ids.join() !== diffIds.join()) {
    throw invalid(image, 'its config names other layers');
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function invalid(image: ImageRecord, why: string): AirdockError {
  return new AirdockError(
    'BUNDLE_LAYOUT_INVALID',
    `${image.reference} is not the image that bundle.json describes: ${why} (FORMAT.md 6)`,
  );
}
