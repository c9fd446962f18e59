import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerArchive } from '../../src/bundle/archive.ts';
import type { Digest } from '../../src/digest.ts';
import { AirdockError } from '../../src/errors.ts';
import { type NamedImage, privateName } from '../../src/vm/images/names.ts';
import { type ArchiveOf, loadImages, planLoad } from '../../src/vm/images/load-images.ts';
import { type Docker, openDocker } from '../../src/io/docker.ts';
import { makeImage, type TestImage } from '../helpers/bundle.ts';
import { type Host, type HostOptions, startHost } from '../helpers/host.ts';

/** docs/FACTS.md "Layers that may be left out", on both kinds of store, and how a broken image in the engine is found out. */

const variants: (HostOptions & { tampered: object })[] = [
  // refuses a tampered layer
  { name: 'load-20', engine: '20.10', store: 'classic', tampered: { outcome: { code: 'LOAD_FAILED' }, there: false } },
  // takes it, and holds an image that cannot run
  { name: 'load-28', engine: '28.5', store: 'containerd', tampered: { outcome: { full: true }, there: true } },
];

const repository = 'ghcr.io/example/shop-api';
/** Layers with much in them, so that bytes on the wire tell which went. */
const layer = (name: string) => `${name} ${Array.from({ length: 2000 }, (_, i) => (i * 7919) ^ (name.length * i)).join(' ')}`;
const image = (tag: string, layers: string[]) => makeImage(`${repository}:${tag}`, layers.map(layer));
const named = (one: TestImage, name = one.record.reference): NamedImage => ({ image: one.record, name, private: false });

describe.each(variants)('$store store of $engine', (variant) => {
  let host: Host;
  let docker: Docker;
  const blobs = new Map<Digest, Buffer>();
  const images = (...all: TestImage[]) => {
    for (const one of all) for (const [digest, bytes] of one.blobs) blobs.set(digest, bytes);
    return all.map((one) => named(one));
  };
  const sent: Digest[][] = [];
  const archive: ArchiveOf = (chosen, omit) => {
    const layers: Digest[] = [];
    sent.push(layers);
    return dockerArchive({
      images: chosen.map((entry) => entry.image),
      nameOf: (record) => chosen.find((entry) => entry.image === record)?.name,
      leaveOut: (digest) => omit.has(digest),
      async *openBlob(digest) {
        layers.push(digest);
        yield blobs.get(digest) ?? Buffer.alloc(0);
      },
    });
  };
  const load = (chosen: readonly NamedImage[], rest: Partial<Parameters<typeof loadImages>[0]> = {}) => {
    sent.length = 0;
    return loadImages({ images: chosen, docker, archive, ...rest });
  };
  const layersOf = (one: TestImage) => one.record.layers.map(({ digest }) => digest);

  beforeAll(async () => {
    host = await startHost({ name: variant.name, engine: variant.engine, store: variant.store } as HostOptions);
    docker = openDocker(host.env['DOCKER_HOST'] ?? '');
  });
  afterAll(() => host.stop());

  const first = image('0.2.4', ['base', 'deps', 'app 0.2.4']);
  const second = image('0.3.0', ['base', 'deps', 'app 0.3.0']);

  test('info says which store it is', async () => {
    expect(await docker.info()).toMatchObject({ store: variant.store, os: 'linux', architecture: 'amd64' });
  });

  test('the first load brings everything, a second one nothing', async () => {
    const report = await load(images(first));
    expect(report).toMatchObject({ loaded: [first.record.reference], full: false });
    expect(await docker.probeImage(first.record.reference)).toBeUndefined();
    const again = await load(images(first));
    expect(again).toEqual({ loaded: [], tagged: [], bytes: 0, full: false });
    expect(await docker.containers({ label: 'airdock.probe' })).toEqual([]);
  });

  test('an upgrade brings the layer that changed, and the image is whole', async () => {
    const known = [first.record];
    const plan = await planLoad(images(second), docker, known);
    const app = second.record.layers[2];
    expect(plan).toMatchObject({ bytes: app?.size, uncompressedBytes: app?.uncompressedSize });
    const report = await load(images(second), { known });
    expect(report.full).toBe(false);
    expect(sent.map((list) => list.filter((digest) => layersOf(second).includes(digest)))).toEqual([[app?.digest]]);
    // it could run while docker save of it is empty: docs/FACTS.md "Layers that may be left out"
    const saved = await buffer(await docker.saveImage(second.record.reference));
    expect(saved.includes(layer('app 0.3.0')) || saved.includes(blobs.get(app?.digest as Digest) ?? 'none')).toBe(true);
    expect(saved.includes(layer('deps')) || saved.includes(blobs.get(layersOf(second)[1] as Digest) ?? 'none')).toBe(true);
  });

  test('an image that is there under another name gets the name', async () => {
    const fixed = image('15', ['postgres']);
    await load(images(fixed));
    const name = privateName('shop', fixed.record.reference, fixed.record.manifestDigest);
    const report = await load([named(fixed, name)]);
    expect(report).toEqual({ loaded: [], tagged: [name], bytes: 0, full: false });
    expect((await docker.inspectImage(name))?.id).toBe((await docker.inspectImage(fixed.record.reference))?.id);
  });

  test('a layer that goes away between look and load is noticed, and everything is loaded', async () => {
    const lost = image('0.4.0', ['other base', 'app 0.4.0']);
    const base = image('base', ['other base']);
    await load(images(base));
    // Somebody prunes while the tar is on its way.
    const pruned = async (...args: Parameters<Docker['loadImages']>) => {
      await docker.removeImageTag(base.record.reference);
      return docker.loadImages(...args);
    };
    const report = await load(images(lost), { docker: { ...methodsOf(docker), loadImages: pruned }, known: [base.record] });
    expect(sent[0]).not.toContain(layersOf(lost)[0]);
    expect(report.full).toBe(true);
    expect(sent).toHaveLength(2);
    expect(await docker.probeImage(lost.record.reference)).toBeUndefined();
    expect((await docker.inspectImage(lost.record.reference))?.diffIds).toEqual(lost.record.layers.map(({ diffId }) => diffId));
  });

  test('a tampered layer is noticed, and everything is loaded', async () => {
    const good = image('0.5.0', ['base of 0.5.0', 'app 0.5.0']);
    const evil: ArchiveOf = async function* (chosen, omit) {
      const tar = await buffer(archive(chosen, omit) as never);
      const victim = blobs.get(layersOf(good)[1] as Digest) as Buffer;
      const at = tar.indexOf(victim);
      if (sent.length === 1) tar[at + victim.length - 6] = (tar[at + victim.length - 6] ?? 0) ^ 1; // the CRC of the gzip
      yield tar;
    };
    const outcome = await load(images(good), { archive: evil }).catch((error: unknown) => error);
    const found = await docker.inspectImage(good.record.reference);
    const cannotRun = found && (await docker.probeImage(good.record.reference));
    expect({ outcome, there: found !== undefined }).toMatchObject(variant.tampered);
    expect(cannotRun).toBeUndefined();
  });

  test('an engine that keeps losing a layer is a failure, not a success', async () => {
    const never = image('0.6.0', ['base of 0.6.0', 'app 0.6.0']);
    const omitAlways: ArchiveOf = (chosen) => archive(chosen, new Set([layersOf(never)[0] as Digest]));
    await expect(load(images(never), { archive: omitAlways })).rejects.toMatchObject({ code: 'LOAD_FAILED' });
    const found = await docker.inspectImage(never.record.reference);
    expect(found === undefined || (await docker.probeImage(never.record.reference)) !== undefined).toBe(true);
  });

  test('a tar that cannot be read to its end says why', async () => {
    const broken: ArchiveOf = async function* (chosen, omit) {
      for await (const chunk of archive(chosen, omit)) {
        yield chunk;
        throw new AirdockError('STORE_CORRUPT', 'the stored blob is damaged');
      }
    };
    await expect(load(images(image('0.7.0', ['x'])), { archive: broken })).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });

  test('an interrupted load ends at once', async () => {
    const controller = new AbortController();
    const endless: ArchiveOf = async function* (chosen, omit) {
      yield* archive(chosen, omit);
      controller.abort(new Error('^C'));
      await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
    };
    const loading = load(images(image('0.8.0', ['y'])), { archive: endless, signal: controller.signal });
    await expect(loading).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(await load(images(image('0.8.0', ['y'])))).toMatchObject({ full: false });
  });

  test('an engine that is not there', async () => {
    const nobody = openDocker(`unix:///run/airdock/${variant.name}/no.sock`);
    await expect(nobody.ping()).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringContaining('no.sock') as string,
    });
    await expect(nobody.probeImage('x')).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
  });
});

/** The same engine as a plain object, so that a test can put another method in. */
function methodsOf(docker: Docker): Docker {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(docker)) as (keyof Docker)[];
  return Object.fromEntries(names.map((name) => [name, (docker[name] as () => unknown).bind?.(docker)])) as unknown as Docker;
}
