import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { foundText } from '../../src/cli/commands/adopt.ts';
import { compareCompose } from '../../src/vm/adopt/compare.ts';
import { adoptDocument, type Adoption } from '../../src/vm/adopt/document.ts';
import { secretsHere, withoutSecrets } from '../../src/vm/commands/support-bundle-secrets.ts';
import { secretsIn } from '../../src/policy/secrets.ts';
import { parseRaw } from '../../src/vm/compose-files/raw-yaml.ts';
import type { Site } from '../../src/vm/site/site.ts';
import { places, variables } from '../helpers/secret-cases.ts';

// One rule of what is a secret, and everything that uses it: what `adopt` shows, and what the support bundle sends.

type Compose = (typeof places)[number][1];
const cases: typeof places = [
  ...variables.map(([key, value, secret]): (typeof places)[number] => [
    `${key}=${value.slice(0, 40)}`,
    { services: { api: { environment: { [key]: value } } } },
    secret,
  ]),
  ...places,
];

test('there are cases enough of both', () => {
  expect(cases.filter(([, , secret]) => secret !== null).length).toBeGreaterThan(40);
  expect(cases.filter(([, , secret]) => secret === null).length).toBeGreaterThan(25);
});

/** What adopt says of a compose file that has this, and the release's has not. @returns on the terminal, and with --json */
function adopted(compose: object, release: object = { services: { api: { image: 'shop:1' } } }, marked?: Iterable<string>) {
  const { edits } = compareCompose(
    parseRaw(JSON.stringify(compose), 'a'),
    parseRaw(JSON.stringify(release), 'b'),
    new Set(marked),
  );
  const found: Adoption = adoptDocument.parse({
    schema: 'airdock.adopt/1',
    product: 'shop',
    version: '1.0.0',
    project: 'shop',
    changed: true,
    containers: [],
    volumes: [],
    edits,
    files: ['compose.yaml'],
    source: 'bundle',
    signer: null,
    warnings: [],
    transaction: null,
  });
  return { text: foundText(found), json: JSON.stringify(found), edits };
}

const withImage = ({ services, ...rest }: Compose) => ({ services: { api: { image: 'shop:1', ...services?.['api'] } }, ...rest });

const withSecret = cases.flatMap(([what, compose, secret]) => (secret === null ? [] : [[what, compose, secret] as const]));
const without = cases.filter(([, , secret]) => secret === null);

test.each(withSecret)('adopt hides %s', (_what, compose, secret) => {
  const { text, json, edits } = adopted(withImage(compose));
  for (const form of formsOf(secret)) for (const said of [text, json]) expect(said).not.toContain(form);
  expect(edits).toEqual([{ path: expect.any(String) as string, change: 'set', value: null }]);
  expect(text).toContain(`${edits[0]?.path}: (not shown`);
});

test.each(without)('adopt shows %s', (_what, compose) => {
  expect(adopted(withImage(compose)).edits).toEqual([
    { path: expect.any(String) as string, change: 'set', value: expect.any(String) as string },
  ]);
});

/** What a program may print of what it was given: compose doubles each `$` when it renders. */
const logOf = (compose: Compose): string =>
  leaves(compose)
    .join('\n')
    .replaceAll('$$', () => '$');

test.each(withSecret)('the support bundle hides %s', async (_what, compose, secret) => {
  const { values } = await secretsFound(rendered(compose));
  const sent = withoutSecrets(logOf(compose), values);
  for (const form of formsOf(secret)) expect(sent).not.toContain(form);
  // a program prints the password of a URL without the URL
  expect(withoutSecrets(`it is <${secret}>`, values)).not.toContain(secret);
  expect(withoutSecrets(`it is <${encodeURIComponent(secret)}>`, values)).not.toContain(encodeURIComponent(secret));
});

test.each(without)('the support bundle shows %s', async (_what, compose) => {
  const { values } = await secretsFound(rendered(compose));
  expect(withoutSecrets(logOf(compose), values)).toBe(logOf(compose));
});

test('a long text is judged in time that grows with its length alone', () => {
  for (const long of ['a'.repeat(1e6), 'a:'.repeat(3e5), '-a'.repeat(3e5), ' '.repeat(1e5)])
    expect(secretsIn('content', long)).toEqual([]);
});

const formsOf = (secret: string): string[] => [secret, encodeURIComponent(secret), secret.replaceAll('$', () => '$$')];

function leaves(value: unknown, key = ''): string[] {
  if (typeof value === 'string') return [/^[\w.-]+$/.test(key) ? `${key}: ${value}` : value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => leaves(member, name));
}

/** As `docker compose config` gives it: maps in place of lists of `KEY=VALUE`. */
function rendered({ services, ...rest }: Compose): object {
  const map = (list: unknown) =>
    Array.isArray(list) ? Object.fromEntries(list.map((one: string) => one.split(/=(.*)/s).slice(0, 2))) : list;
  const api = (services?.['api'] ?? {}) as { environment?: unknown; labels?: unknown };
  const { environment, labels, ...members } = api;
  return { name: 'shop', services: { api: { ...members, environment: map(environment), labels: map(labels) } }, ...rest };
}

async function secretsFound(model: object, env = '', marked?: Iterable<string>) {
  const directory = await mkdtemp(path.join(tmpdir(), 'airdock-secrets-'));
  try {
    await writeFile(path.join(directory, '.env'), env);
    return await secretsHere(
      { directory, compose: async () => ({ config: async () => model }) } as unknown as Site,
      new Set(marked),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

test.each([
  ['a variable alone', '${SHOP_PASSWORD}', false],
  ['a variable without a default, and what compose says then', '${SHOP_PASSWORD:?set it in .env}', false],
  ['a default that is one', '${SHOP_PASSWORD:-hunter2hunter2}', true],
  ['an older form of it', '${SHOP_PASSWORD-hunter2hunter2}', true],
  ['in place of a variable that is set', '${SHOP_PASSWORD:+hunter2hunter2}', true],
  ['a default within one', '${A:-${B:-hunter2hunter2}}', true],
])('adopt, as written: %s', (_what, value, hidden) => {
  const { edits } = adopted(withImage({ services: { api: { environment: { DATABASE_PASSWORD: value } } } }));
  expect(edits).toEqual([{ path: 'api.environment', change: 'set', value: hidden ? null : `DATABASE_PASSWORD: ${value}` }]);
});

test('a URL whose password is a variable is shown', () => {
  const { edits } = adopted(
    withImage({ services: { api: { environment: { DATABASE_URL: 'postgresql://shop:${PW}@db/shop' } } } }),
  );
  expect(edits[0]?.value).toBe('DATABASE_URL: postgresql://shop:${PW}@db/shop');
});

test('what the template marks as a secret or generates, and what the release filled from it, is hidden whatever it is called', async () => {
  const release = {
    services: { api: { environment: { SHOP_PEPPERMINT: '${SHOP_PEPPERMINT}', OTHER: '${SHOP_PEPPERMINT}', LEVEL: 'info' } } },
  };
  const own = { services: { api: { environment: { SHOP_PEPPERMINT: 'mint-4711', OTHER: 'other-4711', LEVEL: 'debug' } } } };
  expect(adopted(own, release, ['SHOP_PEPPERMINT']).edits).toEqual([
    { path: 'api.environment.SHOP_PEPPERMINT', change: 'set', value: null },
    { path: 'api.environment.OTHER', change: 'set', value: null },
    { path: 'api.environment.LEVEL', change: 'set', value: 'debug' },
  ]);
  const { values } = await secretsFound({ name: 'shop', ...own }, '', ['SHOP_PEPPERMINT']);
  expect(withoutSecrets('mint-4711 other-4711', values)).toBe('[SHOP_PEPPERMINT] other-4711');
});

test('the name of a service says nothing of its members', () => {
  const { edits } = adopted(
    { services: { auth: { image: 'sso:1', command: 'serve' } } },
    { services: { auth: { image: 'sso:1' } } },
  );
  expect(edits).toEqual([{ path: 'auth.command', change: 'set', value: 'serve' }]);
});
