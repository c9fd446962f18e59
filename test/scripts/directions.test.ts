// Without a TypeScript that it can load, dependency-cruiser sees no source, finds nothing to forbid and says that all is well.
import { globSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');

type Cruised = { modules: { source: string; dependencies: { dependencyTypes: string[] }[] }[] };

test('the check of import directions reads every source, and knows imports of types', async () => {
  const { stdout } = await execa('depcruise', ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src', 'bin'], {
    cwd: root,
    preferLocal: true,
  });
  const { modules } = JSON.parse(stdout) as Cruised;
  const seen = modules.map(({ source }) => source).filter((source) => /^(src|bin)\/.*\.ts$/.test(source));
  expect(seen.toSorted()).toEqual(globSync('{src,bin}/**/*.ts', { cwd: root }).toSorted());
  const kinds = modules.flatMap(({ dependencies }) => dependencies.flatMap(({ dependencyTypes }) => dependencyTypes));
  expect(kinds.filter((kind) => kind === 'type-only').length).toBeGreaterThan(100);
});
