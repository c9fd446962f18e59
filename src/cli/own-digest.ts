import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDirectory } from './cache-directory.ts';
import type { Runtime } from './context.ts';

/**
 * Digest of the running executable for `--version`. Hashing 118 MB takes longer than all else that it does, so it is
 * remembered for that very file: device, inode, size, and the times of its last change, which nobody can set back. What
 * matters is always hashed anew: `verify --self`, and what is put into `.airdock/bin`.
 */
export async function ownDigest(executable: string, runtime: Pick<Runtime, 'env'>): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(executable, { bigint: true });
  const identity = [dev, ino, size, mtimeNs, ctimeNs].join(':');
  const note = join(cacheDirectory(runtime), 'self');
  const [, known, digest] = /^(\S+) (sha256:[0-9a-f]{64})$/.exec(await readFile(note, 'utf8').catch(() => '')) ?? [];
  if (known === identity && digest !== undefined) return digest;
  const { fileDigest } = await import('../digest.ts');
  const found = await fileDigest(executable);
  // no cache, no harm
  await mkdir(dirname(note), { recursive: true })
    .then(() => writeFile(note, `${identity} ${found}`))
    .catch(() => {});
  return found;
}
