import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { composeFiles, projectName } from '../../../src/vm/compose-files/find.ts';
import { parseEnvFile } from '../../../src/vm/env/file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'airdock-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const named = async (env: string, staged?: string): Promise<string[]> =>
  (await composeFiles(folder, parseEnvFile(env), staged)).map((file) => path.relative(folder, file));

test('compose.yaml alone', async () => {
  expect(await named('VERSION=1')).toEqual(['compose.yaml']);
});
test('the operator’s override is honoured', async () => {
  await writeFile(path.join(folder, 'compose.override.yaml'), '');
  expect(await named('VERSION=1')).toEqual(['compose.yaml', 'compose.override.yaml']);
});
test('COMPOSE_FILE wins, and a staged file stands in for compose.yaml alone', async () => {
  const env = 'COMPOSE_FILE=compose.yaml:compose.adopted.yaml';
  expect(await named(env)).toEqual(['compose.yaml', 'compose.adopted.yaml']);
  expect(await named(env, path.join(folder, 'staged/compose.yaml'))).toEqual(['staged/compose.yaml', 'compose.adopted.yaml']);
});
test.each([
  ['/opt/NodePad', undefined, 'nodepad'],
  ['/opt/my.note pad_1', undefined, 'mynotepad_1'],
  ['/opt/_x', undefined, 'x'],
  ['/opt/nodepad', 'other', 'other'],
  ['/opt/nodepad', '', 'nodepad'],
])('the project of %s with COMPOSE_PROJECT_NAME %s is %s, as compose makes it', (directory, fromEnv, expected) => {
  expect(projectName(directory, fromEnv)).toBe(expected);
});
