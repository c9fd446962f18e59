// code-cache.ts make|check FILE...: FILE.cache, V8's code cache of each script in the working directory; or ends with 1 when
// this Node, with its flags, does not take one.
import { readFile, writeFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const [work, ...names] = process.argv.slice(2);
for (const filename of names) {
  const code = await readFile(filename, 'utf8');
  if (work === 'make') await writeFile(`${filename}.cache`, codeCache(filename, code));
  else if (new Script(code, { filename, cachedData: await readFile(`${filename}.cache`) }).cachedDataRejected)
    throw new Error(`the code cache of ${filename} is of no use`);
}

/**
 * Of all functions, not only of those that run at once: V8 would compile each as it is first called, which was half of the
 * time of a short command. The flags are part of a cache, so they are the usual ones again when it is made.
 */
function codeCache(filename: string, code: string): Buffer {
  setFlagsFromString('--no-lazy');
  const script = new Script(code, { filename });
  setFlagsFromString('--lazy');
  return script.createCachedData();
}
