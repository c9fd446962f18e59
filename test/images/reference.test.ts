import { describe, expect, test } from 'vitest';
import { isPinned, parseReference } from '../../src/images/reference.ts';

const hex = 'a'.repeat(64);

describe('canonical references', () => {
  test.each([
    ['postgres:15', 'docker.io/library/postgres:15'],
    ['minio/minio:1', 'docker.io/minio/minio:1'],
    ['docker.io/postgres:15', 'docker.io/library/postgres:15'],
    ['index.docker.io/library/postgres:15', 'docker.io/library/postgres:15'],
    ['ghcr.io/palazski/nodepad-api:0.3.0', 'ghcr.io/palazski/nodepad-api:0.3.0'],
    ['127.0.0.1:5000/a:1', '127.0.0.1:5000/a:1'],
    ['localhost/a:1', 'localhost/a:1'],
    ['registry.internal:443/a/b/c:v1.2-rc.1', 'registry.internal:443/a/b/c:v1.2-rc.1'],
    [`postgres@sha256:${hex}`, `docker.io/library/postgres@sha256:${hex}`],
    [`postgres:15@sha256:${hex}`, `docker.io/library/postgres:15@sha256:${hex}`],
    ['postgres', 'docker.io/library/postgres'],
    ['a__b/c-d--e:1', 'docker.io/a__b/c-d--e:1'],
  ])('%s', (text, canonical) => {
    const parsed = parseReference(text);
    expect(parsed.canonical).toBe(canonical);
    expect(parseReference(parsed.canonical)).toEqual(parsed);
  });

  test.each([
    ['', 'repository'],
    ['Postgres:15', 'lowercase'],
    ['postgres:', 'tag'],
    ['postgres:a b', 'tag'],
    ['postgres@sha256:12', 'digest'],
    ['postgres@md5:12', 'digest'],
    ['ghcr.io/:1', 'repository'],
    ['ghcr.io/a//b:1', 'repository'],
    ['ghcr.io/../b:1', 'repository'],
    ['https://ghcr.io/a:1', 'registry'],
    [hex, 'id'],
    [`${'a'.repeat(600)}:1`, 'too long'],
  ])('refuses %j', (text, why) => {
    expect(() => parseReference(text)).toThrowError(
      expect.objectContaining({ code: 'REFERENCE_INVALID', message: expect.stringContaining(why) }),
    );
  });

  test('pinned: a digest, or a tag other than latest', () => {
    expect(
      ['a:1', `a@sha256:${hex}`, `a:latest@sha256:${hex}`, 'a', 'a:latest'].map((text) => isPinned(parseReference(text))),
    ).toEqual([true, true, true, false, false]);
  });
});
