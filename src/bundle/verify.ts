import { AirdockError, type ErrorCode } from '../errors.ts';
import { openBundle, type OpenOptions } from './reader.ts';
import type { BundleBlob, Release } from './release.ts';

export type Finding = { code: ErrorCode; text: string };

/** A failed check is data here: all of them are reported, as far as one can read on. */
export type VerifyReport = {
  ok: boolean;
  /** Unknown when the signature was not good. */
  product?: string;
  version?: string;
  /** Fingerprint of the key that signed. */
  key?: string;
  leftOut: readonly string[];
  findings: readonly Finding[];
};

export type VerifyOptions = OpenOptions & {
  /** Nothing may be left out (docs/FORMAT.md section 7). */
  full?: boolean | undefined;
  onProgress?: ((bytes: number, total: number) => void) | undefined;
};

/** Reads every byte. Throws only what says nothing about the bundle: it is not there, or the work was interrupted. */
export async function verifyBundle(path: string, options: VerifyOptions): Promise<VerifyReport> {
  const findings: Finding[] = [];
  const bundle = await openBundle(path, options).catch((error: unknown) => void findings.push(asFinding(error)));
  if (!bundle) return { ok: false, leftOut: [], findings };
  try {
    for await (const finding of readAll(bundle, options.onProgress)) findings.push(finding);
    if (options.full) {
      for (const name of bundle.leftOut) {
        findings.push({ code: 'BUNDLE_ENTRY_MISSING', text: `${name} was left out of this bundle (FORMAT.md 7)` });
      }
    }
  } finally {
    await bundle.close();
  }
  const { product, version } = bundle.manifest;
  return { ok: findings.length === 0, product, version, key: bundle.signer.fingerprint, leftOut: bundle.leftOut, findings };
}

/** FORMAT.md 9, step 7: everything that was not read when the bundle was opened. */
export async function* readAll(
  bundle: Release,
  onProgress?: (bytes: number, total: number) => void,
): AsyncGenerator<Finding, void> {
  let done = 0;
  const pass = async (data: BundleBlob): Promise<Finding | undefined> => {
    try {
      for await (const chunk of data.read({ lend: true })) {
        done += chunk.length;
        onProgress?.(done, bundle.size);
      }
      return undefined;
    } catch (error) {
      return asFinding(error);
    }
  };
  for (const installer of bundle.installers) {
    const finding = await pass(installer);
    if (finding) yield finding;
  }
  try {
    for await (const blob of bundle.blobs()) {
      const finding = await pass(blob);
      if (finding) yield finding;
    }
  } catch (error) {
    yield asFinding(error);
  }
}

/** Errors about the bundle (exit code 4) become findings; others are thrown on. */
function asFinding(error: unknown): Finding {
  if (error instanceof AirdockError && error.exitCode === 4) return { code: error.code, text: error.message };
  throw error;
}
