import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DigestStream, type Digest } from '../digest.ts';
import { AirdockError, type ErrorCode } from '../errors.ts';
import type { Platform } from './manifest.ts';
import { installerName } from './names.ts';
import { openBundle, type OpenOptions } from './reader.ts';
import type { BundleBlob, Release } from './release.ts';

export type Finding = { code: ErrorCode; text: string };

/** Failed checks are data here: all are reported, as far as the bundle can be read. */
export type VerifyReport = {
  ok: boolean;
  /** Product, version and key are unknown when the signature was not accepted. */
  product?: string;
  version?: string;
  /** Fingerprint of the key that signed. */
  key?: string;
  /** Digest of the executable that was compared with the bundle, if any. */
  executable?: Digest | undefined;
  leftOut: readonly string[];
  findings: readonly Finding[];
};

export type VerifyOptions = OpenOptions & {
  /** Nothing may be left out (docs/FORMAT.md section 7). */
  full?: boolean | undefined;
  /** An executable that must equal the one in the bundle for its platform. */
  executable?: { digest: Digest; platform: Platform | undefined } | undefined;
  onProgress?: ((bytes: number, total: number) => void) | undefined;
};

/** Checks every byte of a bundle. Throws only errors that are not about its content: no such file, or interrupted. */
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
    if (options.executable && findings.length === 0) findings.push(...(await compareExecutable(bundle, options.executable)));
  } finally {
    await bundle.close();
  }
  const { product, version } = bundle.manifest;
  return {
    ok: findings.length === 0,
    product,
    version,
    key: bundle.signer.fingerprint,
    executable: options.executable?.digest,
    leftOut: bundle.leftOut,
    findings,
  };
}

/** Reads everything that was not read when the bundle was opened (FORMAT.md 9, step 7). */
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

async function compareExecutable(
  bundle: Release,
  { digest, platform }: NonNullable<VerifyOptions['executable']>,
): Promise<Finding[]> {
  const name = installerName(platform ?? bundle.manifest.platform);
  const installer = bundle.installers.find((one) => one.name === name);
  if (!installer) {
    const why = bundle.leftOut.includes(name) ? 'was left out of this bundle' : 'is not in this release';
    return [{ code: 'BUNDLE_ENTRY_MISSING', text: `${name} ${why}, so this program cannot be compared` }];
  }
  const carried = new DigestStream();
  await pipeline(
    Readable.from(installer.read()),
    createGunzip(),
    carried,
    new Writable({ write: (_chunk, _encoding, done) => done() }),
  );
  const found = carried.digest();
  if (found === digest) return [];
  return [{ code: 'EXECUTABLE_MISMATCH', text: `this program is ${digest}, the one in the bundle is ${found}` }];
}

/** Errors about the bundle (exit code 4) become findings; others are thrown on. */
function asFinding(error: unknown): Finding {
  if (error instanceof AirdockError && error.exitCode === 4) return { code: error.code, text: error.message };
  throw error;
}
