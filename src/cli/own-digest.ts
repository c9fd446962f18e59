import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheDirectory } from './cache-directory.ts';
import type { Runtime } from './context.ts';

/**
 * Digest of the running executable for `--version`. Hashing 118 MB takes longer than all else that it does, so it is
 * remembered for that very file: device, inode, size, and the times of its last change, which nobody can set back. What
 * matters is always hashed anew: `verify --self`, and what is put into `.airdock/bin`.
 * Synchronous: with promises Node would load its streams first.
 */
export async function ownDigest(executable: string, runtime: Pick<Runtime, 'env'>): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(executable, { bigint: true });
  const identity = [dev, ino, size, mtimeNs, ctimeNs].join(':');
  const note = join(cacheDirectory(runtime), 'self');
  const [, known, digest] = /^(\S+) (sha256:[0-9a-f]{64})$/.exec(readNote(note)) ?? [];
  if (known === identity && digest !== undefined) return digest;
  const { fileDigest } = await import('../digest.ts');
  const found = await fileDigest(executable);
  try {
    mkdirSync(dirname(note), { recursive: true });
    writeFileSync(note, `${identity} ${found}`);
  } catch {
    // no cache, no harm
  }
  return found;
}

function readNote(note: string): string {
  try {
    return readFileSync(note, 'utf8');
  } catch {
    return '';
  }
}
