import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder, writeTestBundle, type TestBundle } from '../helpers/bundle.ts';
import { type Host, startHost } from '../helpers/host.ts';

/** FORMAT.md 1 and 5: other tools read a full bundle as it is, and the digests stay the registry's. */
describe.each([
  { name: 'archive-20', engine: '20.10', store: 'classic' },
  { name: 'archive-28', engine: '28.5', store: 'containerd' },
] as const)('$store store of $engine', ({ name, engine, store }) => {
  let host: Host;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let release: TestBundle;

  beforeAll(async () => {
    host = await startHost({ name, engine, store });
    folder = await temporaryFolder();
    release = await writeTestBundle(folder.file('shop.bundle.tar'));
  });
  afterAll(async () => {
    await host?.stop();
    await folder?.[Symbol.asyncDispose]();
  });

  test('docker load', async () => {
    await host.docker('load', '-i', folder.file('shop.bundle.tar'));
    for (const { reference, configDigest, manifestDigest, layers } of release.manifest.images) {
      const [image] = JSON.parse(await host.docker('image', 'inspect', reference)) as [
        { Id: string; RootFS: { Layers: string[] } },
      ];
      expect(image.Id).toBe(store === 'classic' ? configDigest : manifestDigest);
      expect(image.RootFS.Layers).toEqual(layers.map(({ diffId }) => diffId));
    }
  });

  test('ctr images import', async () => {
    const { exitCode, stderr } = await host.exec([
      'ctr',
      '-n',
      'test',
      'images',
      'import',
      '--no-unpack',
      folder.file('shop.bundle.tar'),
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { stdout } = await host.exec(['ctr', '-n', 'test', 'images', 'list']);
    for (const { reference, manifestDigest } of release.manifest.images) {
      expect(stdout.split('\n').find((line) => line.startsWith(`${reference} `))).toContain(manifestDigest);
    }
  });
});
