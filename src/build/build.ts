import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BundleManifest, Platform } from '../bundle/manifest.ts';
import { byTable } from '../bundle/agreement.ts';
import type { Signer } from '../bundle/signature.ts';
import { assertMaySign, type TrustChain } from '../bundle/trust.ts';
import { writeBundle, type FileContent } from '../bundle/writer.ts';
import type { Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { asStep, type Listener } from '../events.ts';
import type { Collected } from '../images/collect.ts';
import type { Helm } from '../io/helm.ts';
import type { BlobCache, CacheStatistics } from './cache.ts';
import { assertComplete, union } from './complete.ts';
import type { ImageSource } from './config.ts';
import { cleaningUp } from './damaged-cache.ts';
import { installerFiles, type InstallerFiles, type Installers } from './installer.ts';
import { loadConfig } from './load-config.ts';
import { checkLock, lockedAfter, lockedBefore, readLock, writeLock } from './lock.ts';
import { readRelease, type ReleaseFiles } from './release-files.ts';
import { collectImages, listedImages, resolveImages } from './release-images.ts';
import { checkAgainstCompose, releaseManifest } from './release-manifest.ts';
import { Sources, type SourceHost } from './sources.ts';
import { completeSummary, imageLines, imagesSummary, indexPins, migrationSummary } from './summaries.ts';

export type BuildOptions = {
  config: string;
  version: string;
  platform: Platform;
  /** A file, or a directory for a file with the usual name. */
  output: string;
  /** The source of images for which the configuration names none. */
  source: ImageSource;
  updateLock: boolean;
  cacheDirectory: string;
  created: Date;
  builder: string;
  /** Undefined when the bundle gets no installer. */
  installers: Installers | undefined;
  /** Without it the bundle is written unsigned. */
  sign?: ((sumsBytes: Buffer) => Buffer) | undefined;
  /** The key of `sign`. */
  signer?: Signer | undefined;
  /** The key sets that the bundle carries; the signer must be one of the newest. */
  trust?: TrustChain | undefined;
};

export type BuildHost = SourceHost & {
  helm: Helm;
  /** Commit of the directory; '' outside of git. */
  revision(directory: string): Promise<string>;
  listener: Listener;
  now(): number;
  signal?: AbortSignal | undefined;
};

export type BuildResult = {
  path: string;
  size: number;
  digest: Digest;
  manifest: BundleManifest;
  lock: { unchanged: number; added: number };
  blobs: CacheStatistics;
};

/**
 * Builds the bundle of a release: resolve -> collect -> manifest -> write -> sign. After a failure there is no bundle and
 * the lock file is unchanged; fetched blobs stay in the cache.
 */
export async function build(options: BuildOptions, host: BuildHost): Promise<BuildResult> {
  const loaded = loadConfig(options.config, options.version);
  const { config } = loaded;
  if (options.trust) assertMaySign(options.trust, config.product, options.signer);
  const { listener } = host;
  listener({ type: 'heading', text: `${config.product} ${options.version} for ${options.platform}` });
  const path = await outputPath(options, config.product);

  const { release } = await asStep(listener, 'config', async () => {
    const files = await readRelease(loaded, { ...options, helm: host.helm, signal: host.signal });
    checkAgainstCompose(loaded, options.version, files.compose);
    return { release: files, summary: basename(options.config) };
  });
  for (const text of warningsOf(release)) listener({ type: 'warning', text });
  const requested = [...release.compose.images, ...(release.chart?.images ?? [])];
  const images = union(requested, listedImages(loaded));
  const sources = new Sources(host, loaded.directory, join(options.cacheDirectory, 'scratch'));
  try {
    const lock = await readLock(join(loaded.directory, 'airdock.lock.json'));
    const known = options.updateLock ? { ...lock, images: {} } : lock;
    const { resolved, counts } = await asStep(listener, 'images', async () => {
      const found = await resolveImages(images, sources, options, host.signal);
      const state = checkLock(known, lockedBefore(found));
      return { resolved: found, counts: state, summary: imagesSummary(found.length, state, options.updateLock) };
    });
    if (resolved.length > 0) listener({ type: 'note', step: 'images', text: imageLines(resolved, images) });
    for (const text of indexPins(resolved)) listener({ type: 'warning', text });
    await asStep(listener, 'complete', async () => ({ summary: completeSummary(release) }));

    const { collected, cache } = await asStep(listener, 'blobs', () => collectImages(resolved, images, options, host));
    const records = collected.map(({ record }) => record);
    assertComplete(requested, records);
    const installer = await readInstaller(listener, options);
    const locked = [...lockedBefore(resolved), ...lockedAfter(collected, resolved, options.platform)];
    const state = checkLock(known, locked);
    const manifest = releaseManifest({
      ...options,
      loaded,
      revision: await host.revision(loaded.directory),
      images: records,
      files: [...release.records, ...installer.records].toSorted((a, b) => byTable(a.path, b.path)),
    });
    await asStep(listener, 'migration', async () => ({ summary: migrationSummary(manifest) }));

    const { written } = await asStep(listener, 'bundle', async () => {
      const files = new Map<string, FileContent>([...release.files, ...installer.files]);
      const done = await write(path, manifest, files, collected, cache, options, host);
      return { written: done, summary: basename(path) };
    });
    await writeLock(lock, locked);
    return { path, ...written, manifest, lock: options.updateLock ? counts : state, blobs: cache.statistics };
  } finally {
    await sources.close();
  }
}

async function write(
  path: string,
  manifest: BundleManifest,
  files: ReadonlyMap<string, FileContent>,
  collected: readonly Collected[],
  cache: BlobCache,
  options: BuildOptions,
  host: BuildHost,
): Promise<{ size: number; digest: Digest }> {
  const blobs = new Map(collected.flatMap((image) => image.blobs).map((blob) => [blob.digest, blob]));
  return cleaningUp(cache, blobs.keys(), () =>
    writeBundle(path, {
      manifest,
      files,
      blobs: [...blobs.values()].map((blob) => ({
        digest: blob.digest,
        size: blob.size,
        open: () => blob.lend?.() ?? blob.open(),
      })),
      trust: options.trust,
      sign: options.sign,
      signal: host.signal,
      onProgress: (bytes, total) => host.listener({ type: 'progress', step: 'bundle', bytes, total }),
    }),
  );
}

async function readInstaller(listener: Listener, options: BuildOptions): Promise<Pick<InstallerFiles, 'files' | 'records'>> {
  const { installers, platform, cacheDirectory } = options;
  if (!installers) return { files: new Map(), records: [] };
  return asStep(listener, 'installer', () => installerFiles(platform, installers, cacheDirectory));
}

async function outputPath({ output, version, platform }: BuildOptions, product: string): Promise<string> {
  const found = await stat(output).catch(() => undefined);
  if (found?.isDirectory()) return join(output, `${product}-${version}-${platform.replace('/', '-')}.bundle.tar`);
  const parent = await stat(dirname(output)).catch(() => undefined);
  if (parent?.isDirectory()) return output;
  throw new AirdockError('FILE_NOT_FOUND', `there is no directory ${dirname(output)} for the bundle`, {
    hint: 'Make it, or correct --output.',
  });
}

function warningsOf({ compose, chart }: ReleaseFiles): string[] {
  if (!chart || chart.helm !== undefined) return compose.warnings;
  return [
    ...compose.warnings,
    'helm is not in PATH, so the chart was not rendered: images that only the chart names are left out of the bundle',
  ];
}
