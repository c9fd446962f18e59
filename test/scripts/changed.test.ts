// The table of scripts/test --changed: what it names is there, and every room of src has a line.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const ask = async (command: string): Promise<string[]> => {
  const { stdout } = await execa('bash', ['-c', `. scripts/lib/changed.sh; ${command}`], { cwd: root });
  return stdout.split('\n').filter(Boolean);
};
const testsFor = (file: string): Promise<string[]> => ask(`touched_tests ${file}`);

test('every test that a line names exists', async () => {
  const words = (await ask('rooms')).flatMap((line) => line.split(/ +/).slice(1)).filter((word) => word !== '-');
  const names = (readdirSync(path.join(root, 'test'), { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.test.ts'),
  );
  const files = names.map((name) => (/^(engine|e2e|crash|cluster)\//.test(name) ? name : `unit/${name}`));
  expect(words.filter((word) => !files.some((file) => file.startsWith(word)))).toEqual([]);
});

test('a room of its own, the one around it, and none', async () => {
  expect(await testsFor('src/vm/env/file.ts')).toEqual(['engine/env-file', 'e2e/install', 'e2e/upgrade']);
  expect(await testsFor('src/vm/transaction/undo.ts')).toEqual(['engine', 'e2e', 'crash']);
  expect(await testsFor('bench/start')).toEqual([]);
});

test('every room of src is tested with an engine or a cluster', async () => {
  for (const name of readdirSync(path.join(root, 'src'))) expect(await testsFor(`src/${name}/x.ts`), name).not.toEqual([]);
});
