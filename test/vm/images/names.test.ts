import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { rewriteCompose } from '../../../src/vm/compose-files/rewrite-images.ts';
import { carriesVersion, chooseNames, idOnStore, privateName } from '../../../src/vm/images/names.ts';
import { makeImage, makeRelease } from '../../helpers/bundle.ts';

test.each([
  ['ghcr.io/x/api:0.3.0', true],
  ['ghcr.io/x/api:v0.3.0', true],
  ['ghcr.io/x/api:0.3.0-alpine', true],
  ['ghcr.io/x/api:release-0.3.0', true],
  ['ghcr.io/x/api:10.3.0', false],
  ['ghcr.io/x/api:0.3.01', false],
  ['ghcr.io/x/api:0.3.0.1', false],
  ['ghcr.io/x/api:0-3-0', false],
  ['docker.io/library/postgres:15', false],
  ['ghcr.io/x/api', false],
  [`ghcr.io/x/api:0.3.0@sha256:${'a'.repeat(64)}`, false],
])('%s carries 0.3.0: %s', (reference, expected) => {
  expect(carriesVersion(reference, '0.3.0')).toBe(expected);
});

describe('names', () => {
  const { manifest } = makeRelease();
  const [fallback = makeImage('x/y:1', ['x']).record] = manifest.images;
  const postgres = manifest.images.find(({ reference }) => reference.endsWith('postgres:15'));
  const namesOf = async (engine: string | undefined) =>
    (await chooseNames(manifest, 'classic', async () => engine)).map(({ name, private: isPrivate }) => [name, isPrivate]);

  test("a fixed reference gets a private name; the product's keep theirs", async () => {
    expect(await namesOf(undefined)).toEqual([
      [expect.stringMatching(/^airdock\.invalid\/shop\/postgres:[0-9a-f]{12}$/), true],
      ['ghcr.io/example/shop-api:0.3.0', false],
      ['ghcr.io/example/shop-web:0.3.0', false],
    ]);
  });

  test("it also does while its name is a neighbour's image", async () => {
    expect((await namesOf(`sha256:${'b'.repeat(64)}`))[0]?.[1]).toBe(true);
  });

  test('an image keeps its name if the name means the signed image already', async () => {
    expect((await namesOf(postgres?.configDigest))[0]).toEqual(['docker.io/library/postgres:15', false]);
    expect(idOnStore(postgres ?? fallback, 'containerd')).toBe(postgres?.manifestDigest);
  });
});

describe('compose.yaml', () => {
  const { record } = makeImage('docker.io/library/postgres:15', ['x']);
  const name = privateName('shop', record.reference, record.manifestDigest);
  const names = [{ image: record, name, private: true }];
  const env = (key: string) => ({ PG: '15', VERSION: '0.3.0' })[key];
  const rewrite = (text: string) => rewriteCompose(text, names, env);

  test.each([
    ['image: postgres:15'],
    ['image: "postgres:15"'],
    ["image: 'docker.io/library/postgres:15'"],
    ['image:   postgres:${PG:-14}   # pinned'],
    ['image: ${REGISTRY:-docker.io}/library/postgres:$PG'],
    ['image: index.docker.io/library/postgres:15\r'],
  ])('%j: only that value changes', (line) => {
    const text = `# top\nservices:\n  db:\n    ${line}\n    command: ["postgres:15"] # not an image\n  api:\n    image: 'x/api:\${VERSION}'\n`;
    const value = /(?<=image:\s*)[^\s#]+/.exec(line)?.[0] ?? '';
    expect(rewrite(text)).toBe(text.replace(value, name));
  });

  test('flow style, anchors, aliases and merges', () => {
    const text = `x-db: &db\n  image: &img postgres:15 # ours\n  restart: always\nservices:\n  db: { <<: *db, command: x }\n  other:\n    <<: *db\n  third: { image: *img, a: 1 }\n  fourth: {image: postgres:15, b: 2}\n`;
    const rewritten = rewrite(text);
    const { services } = parse(rewritten, { merge: true }) as { services: Record<string, { image: string }> };
    expect(Object.values(services).map(({ image }) => image)).toEqual([name, name, name, name]);
    expect(rewritten.replaceAll(name, '@')).toBe(
      text.replace('&img postgres:15', '&img @').replace('image: *img', 'image: @').replace('{image: postgres:15', '{image: @'),
    );
  });

  test('a block scalar keeps its line end', () => {
    expect(parse(rewrite('services:\n  db:\n    image: >-\n      postgres:15\n    tty: true\n'))).toEqual({
      services: { db: { image: name, tty: true } },
    });
  });

  test('without private names the file is not even parsed', () => {
    expect(rewriteCompose('{', [{ image: record, name: record.reference, private: false }], env)).toBe('{');
  });

  test('a merge within a merge; invalid YAML', () => {
    const hidden = 'x-a: &a\n  <<: &b\n    image: postgres:15\nservices:\n  db:\n    <<: *a\n';
    expect(parse(rewrite(hidden), { merge: true })).toMatchObject({ services: { db: { image: name } } });
    expect(() => rewrite('services: {db: {image: postgres:15}')).toThrow(expect.objectContaining({ code: 'COMPOSE_INVALID' }));
  });
});
