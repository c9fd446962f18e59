import { z } from 'zod';
import { AirdockError } from '../errors.ts';
import { canonicalJson } from './canonical.ts';
import { bundleManifest, type BundleManifest } from './manifest.ts';
import { manifestName } from './names.ts';
import { checkValueLimit } from './values.ts';

/** `bundle.json` to bytes and back (docs/FORMAT.md section 4). */

export function encodeManifest(manifest: BundleManifest): Buffer {
  return canonicalJson(manifest);
}

/** @throws BUNDLE_FORMAT_UNKNOWN, BUNDLE_MANIFEST_INVALID, BUNDLE_ENTRY_TOO_LARGE */
export function parseManifest(bytes: Buffer): BundleManifest {
  checkValueLimit(manifestName, bytes);
  const value = parseJson(bytes);
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  // FORMAT.md 4.2: checked before the schema, because another format may have another schema.
  if (format !== 1) {
    throw new AirdockError(
      'BUNDLE_FORMAT_UNKNOWN',
      `the bundle has format ${JSON.stringify(format ?? null).slice(0, 20)}; this airdock reads format 1`,
      {
        hint: 'Use the airdock of that release, or a newer one.',
      },
    );
  }
  const parsed = bundleManifest.safeParse(value);
  if (!parsed.success) throw invalid(firstOf(parsed.error));
  // FORMAT.md 4.1: the parsed manifest, encoded again, must equal the signed bytes.
  if (!encodeManifest(parsed.data).equals(bytes)) throw invalid('it is not in canonical form (FORMAT.md 4.1)');
  return parsed.data;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
}

/** The first five problems, at most 1000 characters. */
function firstOf({ issues }: z.ZodError): string {
  const text = z.prettifyError(new z.ZodError(issues.slice(0, 5))).slice(0, 1000);
  return issues.length > 5 ? `${text}\n… and ${issues.length - 5} more` : text;
}

function invalid(why: string, cause?: unknown): AirdockError {
  return new AirdockError('BUNDLE_MANIFEST_INVALID', `bundle.json is not a valid manifest: ${why}`, { cause });
}
