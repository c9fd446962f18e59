import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { requestedImage } from '../../src/build/requested-image.ts';
import { chartImages, mergeValues } from '../../src/build/chart-images.ts';
import { packChart, stageChart } from '../../src/build/chart.ts';
import { assertComplete, union } from '../../src/build/complete.ts';
import { checkLock, readLock, writeLock } from '../../src/build/lock.ts';
import { parseDigest } from '../../src/digest.ts';
import { parseReference } from '../../src/images/reference.ts';
import { makeImage, temporaryFolder } from '../helpers/bundle.ts';
import { chartFiles, writeRelease } from '../helpers/release-folder.ts';
import { list } from 'tar';

const one = parseDigest(`sha256:${'1'.repeat(64)}`);
const two = parseDigest(`sha256:${'2'.repeat(64)}`);

test('the union: sorted, each once, with who uses it; the configuration says where one comes from', () => {
  const images = union(
    [
      requestedImage('b:1', 'compose api', 'compose.yaml:3'),
      requestedImage('b:1', 'compose worker', 'compose.yaml:9'),
      requestedImage('b:1', 'chart api.image', 'chart'),
    ],
    [
      { name: parseReference('a:1'), usedBy: ['by hand'], where: 'config' },
      { name: parseReference('b:1'), source: 'engine', usedBy: [], where: 'config' },
    ],
  );
  expect(images.map(({ name, usedBy, source }) => [name.canonical, usedBy, source])).toEqual([
    ['docker.io/library/a:1', ['by hand'], undefined],
    ['docker.io/library/b:1', ['compose api worker', 'chart api.image'], 'engine'],
  ]);
});

test('one tag with and without a digest could not both be loaded', () => {
  const images = [requestedImage('b:1', 'compose api', 'compose.yaml:3'), requestedImage(`b:1@${one}`, 'chart image', 'chart x')];
  expect(() => union(images, [])).toThrowError(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(/compose\.yaml:3.*chart x/) }),
  );
});

test('an image that would be left out: file and line', () => {
  const { record } = makeImage('docker.io/library/b:1', ['x']);
  const images = [requestedImage('b:1', 'compose api', 'compose.yaml:3'), requestedImage('c:1', 'compose web', 'compose.yaml:7')];
  expect(() => assertComplete(images, [record])).toThrowError(
    expect.objectContaining({
      code: 'IMAGE_INCOMPLETE',
      exitCode: 3,
      message: expect.stringContaining('compose.yaml:7 uses docker.io/library/c:1'),
    }),
  );
});

test('images of rendered manifests: init containers, hooks, image volumes; mapped back to the values', () => {
  const manifests = [
    'kind: Deployment\nmetadata: {name: api}\nspec:\n  template:\n    spec:\n      initContainers: [{image: "ghcr.io/acme/api:1"}]',
    'kind: CronJob\nmetadata: {name: x}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: "postgres:15"}], volumes: [{image: {reference: "m:1"}}]}}}}}',
    'kind: ConfigMap\ndata: {image: "not:this"}',
  ].join('\n---\n');
  const values = {
    api: { image: { registry: 'ghcr.io', repository: 'acme/api', tag: '' } },
    postgresql: { image: 'postgres:15' },
  };
  expect(chartImages([{ manifests, values, with: 'chart' }]).map(({ name, usedBy }) => [name.canonical, usedBy])).toEqual([
    ['ghcr.io/acme/api:1', 'chart api.image'],
    ['docker.io/library/postgres:15', 'chart postgresql.image'],
    ['docker.io/library/m:1', 'chart CronJob x'],
  ]);
  expect(() => chartImages([{ manifests: manifests.replace('postgres:15', 'postgres'), values, with: 'chart' }])).toThrowError(
    expect.objectContaining({ code: 'IMAGE_UNPINNED', message: expect.stringContaining('CronJob x') }),
  );
});

test('values merge as helm does it', () => {
  expect(mergeValues({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: 3 }, d: [2] })).toEqual({ a: { c: 2, e: 3 }, d: [2] });
});

test('a chart: the version of the release, nothing that .helmignore names, the same bytes twice', async () => {
  await using folder = await temporaryFolder();
  await writeRelease(folder.path, chartFiles);
  const pack = async (): Promise<Buffer> => {
    await using staged = await stageChart(folder.file('deploy/chart'), '0.3.0', new Date(1_000_000_000_000));
    expect(await readFile(`${staged.path}/Chart.yaml`, 'utf8')).toBe(
      '# kept\napiVersion: v2\nname: shop\nversion: 0.3.0\nappVersion: "0.3.0"\n',
    );
    return packChart(staged);
  };
  const first = await pack();
  await new Promise((done) => setTimeout(done, 1100));
  expect(await pack()).toEqual(first);
  await writeFile(folder.file('chart.tgz'), first);
  const names: string[] = [];
  await list({ file: folder.file('chart.tgz'), onReadEntry: ({ path }) => void names.push(path) });
  expect(names).toEqual(
    ['.helmignore', 'Chart.yaml', 'templates/all.yaml', 'values.yaml', 'values/bundled.yaml', 'values/external.yaml'].map(
      (name) => `shop/${name}`,
    ),
  );
});

test('a chart that is not there', async () => {
  await expect(stageChart('/nonexistent', '1.0.0', new Date(0))).rejects.toMatchObject({ code: 'CHART_INVALID' });
});

test('the lock file: written sorted, other releases kept, a moved tag refused until told', async () => {
  await using folder = await temporaryFolder();
  const path = folder.file('airdock.lock.json');
  await writeLock(await readLock(path), [
    { key: 'b:1', digest: two },
    { key: 'a:1', digest: one },
  ]);
  const lock = await readLock(path);
  expect(Object.keys(lock.images)).toEqual(['a:1', 'b:1']);
  expect(
    checkLock(lock, [
      { key: 'a:1', digest: one },
      { key: 'c:1', digest: one },
    ]),
  ).toEqual({ unchanged: 1, added: 1 });
  expect(() => checkLock(lock, [{ key: 'a:1', digest: two }])).toThrowError(
    expect.objectContaining({
      code: 'LOCK_MISMATCH',
      exitCode: 3,
      message: expect.stringContaining('a:1 is now sha256:222222222222, was sha256:111111111111'),
    }),
  );
  await writeLock(lock, [{ key: 'a:1', digest: two }]);
  expect((await readLock(path)).images).toEqual({ 'a:1': two, 'b:1': two });
  await writeFile(path, '{"schema":"airdock.lock/1"}');
  await expect(readLock(path)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
