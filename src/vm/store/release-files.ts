import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestOf, hexOf, isDigest, type Digest } from '../../digest.ts';
import { AirdockError } from '../../errors.ts';
import { ensureDirectory, readIfExists, removeTree, replaceFile } from '../../io/files.ts';

/**
 * `releases/<version>/` has each small file under its digest, and `index.json` with the names. The names come from a bundle and
 * never become paths. A release exists once its index exists; a new index replaces it.
 */
const releaseIndex = z.strictObject({
  schema: z.literal('airdock.stored-release/1'),
  files: z.record(
    z.string(),
    z.custom<Digest>((value) => typeof value === 'string' && isDigest(value)),
  ),
});

const indexName = 'index.json';

export class ReleaseFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(version: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const directory = this.#path(version);
    await ensureDirectory(directory);
    const index: z.infer<typeof releaseIndex> = { schema: 'airdock.stored-release/1', files: {} };
    for (const [name, bytes] of files) {
      const digest = digestOf(bytes);
      index.files[name] = digest;
      await replaceFile(join(directory, hexOf(digest)), bytes, { mode: 0o600 });
    }
    await replaceFile(join(directory, indexName), `${JSON.stringify(index, undefined, 2)}\n`, { mode: 0o600 });
    const kept = new Set([indexName, ...Object.values(index.files).map(hexOf)]);
    for (const name of await readdir(directory)) if (!kept.has(name)) await removeTree(join(directory, name));
  }

  async read(version: string): Promise<Map<string, Buffer>> {
    const directory = this.#path(version);
    const text = await readIfExists(join(directory, indexName));
    if (!text) {
      throw new AirdockError('BLOB_MISSING', `the store has no release ${version}`, { hint: 'Install from its bundle.' });
    }
    const files = new Map<string, Buffer>();
    for (const [name, digest] of Object.entries(parseIndex(text, version).files)) {
      const bytes = await readIfExists(join(directory, hexOf(digest)));
      if (!bytes || digestOf(bytes) !== digest) throw corrupt(version, name);
      files.set(name, bytes);
    }
    return files;
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#directory);
    const versions = await Promise.all(
      names.filter(isVersion).map(async (name) => ((await readIfExists(join(this.#directory, name, indexName))) ? [name] : [])),
    );
    return versions.flat();
  }

  /** Removes the index first, so that an incomplete release does not count. */
  async remove(version: string): Promise<void> {
    const directory = this.#path(version);
    await removeTree(join(directory, indexName));
    await removeTree(directory);
  }

  #path(version: string): string {
    if (!isVersion(version)) {
      throw new AirdockError('INTERNAL', `${JSON.stringify(version)} cannot be the name of a stored release`);
    }
    return join(this.#directory, version);
  }
}

function isVersion(text: string): boolean {
  return /^[0-9A-Za-z][0-9A-Za-z.-]{0,127}$/.test(text);
}

function parseIndex(text: Buffer, version: string): z.infer<typeof releaseIndex> {
  try {
    return releaseIndex.parse(JSON.parse(text.toString()));
  } catch (cause) {
    throw corrupt(version, indexName, cause);
  }
}

function corrupt(version: string, name: string, cause?: unknown): AirdockError {
  return new AirdockError('STORE_CORRUPT', `${name} of the stored release ${version} is damaged`, {
    hint: 'Install from the bundle of that release again: it puts the file back.',
    cause,
  });
}
