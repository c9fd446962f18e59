// code-cache.ts make|check FILE...: writes FILE.cache, V8's code cache of each script in the working directory; or checks them and
// ends with 1 when this Node, with its flags, rejects one.
import { readFile, writeFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const [work, ...names] = process.argv.slice(2);
for (const filename of names) {
  const code = await readFile(filename, 'utf8');
  if (work === 'make') await writeFile(`${filename}.cache`, codeCache(filename, code));
  else if (new Script(code, { filename, cachedData: await readFile(`${filename}.cache`) }).cachedDataRejected)
    throw new Error(`the code cache of ${filename} was rejected`);
}

/**
 * A code cache with all functions, not only those that run at once. Otherwise V8 compiles each function at its first call,
 * which took half of the time of a short command. The flags are part of a cache, so they are reset before it is made.
 */
function codeCache(filename: string, code: string): Buffer {
  setFlagsFromString('--no-lazy');
  const script = new Script(code, { filename });
  setFlagsFromString('--lazy');
  return script.createCachedData();
}
