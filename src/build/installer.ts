import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { installerName, licensesName } from '../bundle/names.ts';
import type { FileRecord, Platform } from '../bundle/manifest.ts';
import type { FileContent } from '../bundle/writer.ts';
import { digestOf, fileDigest, hexOf } from '../digest.ts';
import { AirdockError, systemCode } from '../errors.ts';
import { gzipped } from '../images/gzip.ts';
import { bytesText } from '../units.ts';
import { BlobCache } from './cache.ts';

/** The executable that a bundle carries, and its licences (docs/adr/0006). */

/** Where executables for bundles come from. */
export type Installers = {
  /** The running program, when it is an executable itself. */
  own: { path: string; platform: Platform | undefined } | undefined;
  /** Directory with `airdock-linux-x64` and `airdock-linux-arm64`, as scripts/build-installer makes them. */
  directory: string;
  licenses: () => string | undefined;
};

export type InstallerFiles = {
  files: ReadonlyMap<string, FileContent>;
  records: readonly FileRecord[];
  summary: string;
};

/** ELF-64 `e_machine`, from the System V ABI. */
const machines: Record<Platform, number> = { 'linux/amd64': 62, 'linux/arm64': 183 };

/**
 * The installer, compressed, and its licences. The compressed file is cached: the same executable is compressed once.
 * @throws INSTALLER_MISSING naming the path; INSTALLER_INVALID when the file is not an executable for the platform
 */
export async function installerFiles(
  platform: Platform,
  { own, directory, licenses }: Installers,
  cacheDirectory: string,
): Promise<InstallerFiles> {
  const name = installerName(platform);
  const path = own?.platform === platform ? own.path : join(directory, basename(name, '.gz'));
  await assertExecutable(path, platform);
  const text = licenses();
  if (text === undefined) throw missing(join(directory, basename(licensesName)));
  const notices = Buffer.from(text);
  const key = `installer-${hexOf(await fileDigest(path))}-zlib-${process.versions.zlib}`;
  const blob = await new BlobCache(cacheDirectory).derive(key, () =>
    gzipped(createReadStream(path, { highWaterMark: 1 << 18 }), () => {}),
  );
  return {
    files: new Map<string, FileContent>([
      [licensesName, notices],
      [name, blob],
    ]),
    records: [
      { path: licensesName, digest: digestOf(notices), size: notices.length, role: 'licenses' },
      { path: name, digest: blob.digest, size: blob.size, role: 'installer' },
    ],
    summary: `${name}, ${bytesText(blob.size)}`,
  };
}

async function assertExecutable(path: string, platform: Platform): Promise<void> {
  const head = Buffer.alloc(20);
  try {
    const handle = await open(path, 'r');
    await handle.read(head, 0, head.length, 0).finally(() => handle.close());
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw missing(path, error);
  }
  const elf = head.subarray(0, 5).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2]));
  if (elf && head.readUInt16LE(18) === machines[platform]) return;
  throw new AirdockError('INSTALLER_INVALID', `${path} is not an executable for ${platform}`, {
    hint: 'Build one with scripts/build-installer, or name the right directory with --installers.',
  });
}

function missing(path: string, cause?: unknown): AirdockError {
  return new AirdockError('INSTALLER_MISSING', `${path} does not exist, so the bundle would have no installer`, {
    hint: 'Run scripts/build-installer, name a directory that has it with --installers, or leave the installer out with --no-installer.',
    cause,
  });
}
