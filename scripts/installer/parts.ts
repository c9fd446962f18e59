import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** The parts of the program in the executable: assets, each with V8's code cache of all its functions. */

/** `require` for the parts, because Node's own cannot load assets. Node's modules do not go through it (bundle.ts). */
const loader = `((main) => {
  const { getAsset, getAssetKeys, getRawAsset } = process.getBuiltinModule('node:sea');
  const { Script } = process.getBuiltinModule('node:vm');
  const assets = new Set(getAssetKeys());
  const loaded = new Map();
  const load = (id) => {
    const name = id.slice('./'.length);
    if (loaded.has(name)) return loaded.get(name);
    const exports = {};
    loaded.set(name, exports);
    const cache = name + '.cache';
    const cachedData = assets.has(cache) ? Buffer.from(getRawAsset(cache)) : undefined;
    new Script(getAsset(name, 'latin1'), { filename: name, cachedData }).runInThisContext()(exports, load);
    return exports;
  };
  const exports = {};
  loaded.set('main.js', exports); // parts use what is in it
  main(exports, load);
})`;

export function withLoader(main: string): string {
  return `${loader}((exports, require) => {${main}\n});`;
}

/**
 * @param compiledFor flags that the program runs with; undefined: no code caches, because only the same V8 can use
 *   them
 * @returns the names of the files
 */
export async function writeParts(
  folder: string,
  parts: ReadonlyMap<string, string>,
  compiledFor: readonly string[] | undefined,
): Promise<string[]> {
  const names = [...parts.keys()];
  for (const [name, code] of parts) await writeFile(join(folder, name), `(function(exports,require){${code}\n})`);
  if (!compiledFor) return names;
  const tool = join(import.meta.dirname, 'code-cache.ts');
  // --predictable gives the same bytes each time
  await execa(process.execPath, ['--predictable', tool, 'make', ...names], { cwd: folder });
  await execa(process.execPath, [...compiledFor, tool, 'check', ...names], { cwd: folder });
  return names.flatMap((name) => [name, `${name}.cache`]);
}
