import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { documents } from '../src/cli/documents/all.ts';

/** Writes docs/schemas/<name>.json from the zod schemas; `--check` fails when one is stale. */
const check = process.argv.includes('--check');
const root = fileURLToPath(new URL('..', import.meta.url));
const stale: string[] = [];
for (const [name, schema] of Object.entries(documents)) {
  const file = `docs/schemas/${name}.json`;
  const value: unknown = JSON.parse(JSON.stringify({ title: `airdock.${name}/1`, ...z.toJSONSchema(schema) }));
  const published: unknown = JSON.parse(await readFile(root + file, 'utf8').catch(() => 'null'));
  if (isDeepStrictEqual(value, published)) continue;
  stale.push(file);
  if (!check) await writeFile(root + file, `${JSON.stringify(value, undefined, 2)}\n`);
}
if (check) for (const file of stale) console.error(`${file} is stale: run node scripts/schemas.ts`);
else if (stale.length > 0) execFileSync('npx', ['oxfmt', '--write', ...stale], { cwd: root });
process.exitCode = check && stale.length > 0 ? 1 : 0;
