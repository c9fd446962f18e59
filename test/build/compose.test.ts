import { describe, expect, test } from 'vitest';
import { readCompose } from '../../src/build/compose.ts';
import { envDefaults } from '../../src/build/env-defaults.ts';
import { isAirdockError, type AirdockError } from '../../src/errors.ts';
import { composeText } from '../helpers/release-folder.ts';

const values = { VERSION: '0.3.0', OWNER: 'acme' };

function images(text: string) {
  return readCompose(text, 'compose.yaml', values).images.map(
    ({ name, usedBy, where }) => `${name.canonical} ${usedBy} ${where}`,
  );
}

function failureOf(text: string): AirdockError {
  try {
    images(text);
  } catch (error) {
    if (isAirdockError(error)) return error;
  }
  throw new Error('it was accepted');
}

test('every service of every profile, with interpolation, anchors and merges, and the line that asks', () => {
  expect(images(composeText)).toEqual([
    'ghcr.io/acme/api:0.3.0 compose api compose.yaml:2',
    'ghcr.io/acme/api:0.3.0 compose worker compose.yaml:2',
    'ghcr.io/acme/web:0.3.0 compose web compose.yaml:10',
    'docker.io/library/postgres:15 compose db compose.yaml:12',
    'docker.io/minio/minio:1 compose storage compose.yaml:14',
  ]);
  expect(readCompose(composeText, 'compose.yaml', values)).toMatchObject({
    services: ['api', 'worker', 'web', 'db', 'storage'],
    profiles: ['storage'],
  });
});

test('extends within the file; an own image wins over a merged one', () => {
  const text =
    'x: &x\n  image: a:1\nservices:\n  a: { <<: [*x], image: b:2 }\n  c: { extends: { service: a } }\n  d: { extends: c }\n';
  expect(images(text)).toEqual([
    'docker.io/library/b:2 compose a compose.yaml:4',
    'docker.io/library/b:2 compose c compose.yaml:4',
    'docker.io/library/b:2 compose d compose.yaml:4',
  ]);
});

describe('refused, naming file and line', () => {
  test.each([
    ['build without image', 'services:\n  a:\n    build: .\n', 'IMAGE_UNPINNED', 'compose.yaml:2'],
    ['latest', 'services:\n  a:\n    image: x:latest\n', 'IMAGE_UNPINNED', 'compose.yaml:3'],
    ['no tag', 'services:\n  a:\n    image: x\n', 'IMAGE_UNPINNED', 'compose.yaml:3'],
    ['no image', 'services:\n  a:\n    command: x\n', 'COMPOSE_INVALID', 'compose.yaml:2'],
    ['an image that is none', 'services:\n  a:\n    image: "X Y:1"\n', 'REFERENCE_INVALID', 'compose.yaml:3'],
    ['a variable without a value', 'services:\n  a:\n    image: x:${TAG}\n', 'COMPOSE_INVALID', 'compose.yaml:3'],
    ['a broken variable', 'services:\n  a:\n    image: x:${TAG\n', 'COMPOSE_INVALID', 'compose.yaml:3'],
    ['YAML that is none', 'services:\n  a:\n   image: "x\n', 'COMPOSE_INVALID', 'compose.yaml:'],
    ['a service twice', 'services:\n  a: { image: x:1 }\n  a: { image: x:2 }\n', 'COMPOSE_INVALID', 'compose.yaml:3'],
    ['no services', 'volumes: {}\n', 'COMPOSE_INVALID', 'compose.yaml'],
    ['include', 'include: [other.yaml]\nservices:\n  a: { image: x:1 }\n', 'COMPOSE_INVALID', 'compose.yaml:1'],
    ['extends another file', 'services:\n  a:\n    extends: { file: b.yaml, service: a }\n', 'COMPOSE_INVALID', 'compose.yaml:3'],
  ])('%s', (_, text, code, where) => {
    const failure = failureOf(text);
    expect(failure).toMatchObject({ code, exitCode: 3 });
    expect(`${failure.message} ${failure.hint}`).toContain(where);
  });
});

test('files beside it that it mounts are warned of: the bundle does not carry them', () => {
  const text =
    'services:\n  a:\n    image: x:1\n    volumes:\n      - ./nginx.conf:/etc/nginx.conf\n      - data:/d\n      - { type: bind, source: ../x, target: /y }\n';
  expect(readCompose(text, 'compose.yaml', {}).warnings).toEqual([
    'compose.yaml:5: a mounts ./nginx.conf, which the bundle does not carry',
    'compose.yaml:7: a mounts ../x, which the bundle does not carry',
  ]);
});

test('defaults of an env template', () => {
  expect(envDefaults('A=1\r\n# B=2\nC="x y" # z\nD=\'q\'\nE=\nexport F=f # note\nG=a#b\n')).toEqual({
    A: '1',
    C: 'x y',
    D: 'q',
    F: 'f',
    G: 'a#b',
  });
});
