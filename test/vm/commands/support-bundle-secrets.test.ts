import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { secretsHere, withoutSecrets } from '../../../src/vm/commands/support-bundle-secrets.ts';
import type { Site } from '../../../src/vm/site/site.ts';

const here = async (env: string, environment: Record<string, string | null>) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'airdock-secrets-'));
  try {
    await writeFile(path.join(directory, '.env'), env);
    const compose = async () => ({ config: async () => ({ name: 'shop', services: { api: { environment } } }) });
    return await secretsHere({ directory, compose } as unknown as Site);
  } finally {
    await rm(directory, { recursive: true });
  }
};

test('values of .env, expanded ones too, and what the compose files hide become names', async () => {
  const env =
    'VERSION=0.3.0-rc.1\nPOSTGRES_PASSWORD="pa$$ \'word\' 1"\nURL=postgresql://shop:${SALT}@db/shop\nSALT=salt-4711\nEMPTY=\nPORT=8080\n';
  const found = await here(env, {
    SMTP_TOKEN: 'from-an-override',
    PLAIN: 'not hidden',
    DSN_LIKE: 'redis://:hunter2hunter2@redis',
    NONE: null,
  });
  expect(found.keys).toEqual([
    'VERSION is set',
    'POSTGRES_PASSWORD is set',
    'URL is set',
    'SALT is set',
    'EMPTY is empty',
    'PORT is set',
  ]);
  const said = (text: string): string => withoutSecrets(text, found.values);
  expect(said('0.3.0-rc.1 on port 8080, not hidden')).toBe('0.3.0-rc.1 on port 8080, not hidden');
  expect(said('token from-an-override, salt-4711')).toBe('token [SMTP_TOKEN], [SALT]');
  expect(said('to postgresql://shop:salt-4711@db/shop')).toBe('to [URL]');
  expect(said('redis://:hunter2hunter2@redis')).toBe('[DSN_LIKE]');
});

test('in the forms that programs print them in; the longest first', () => {
  const values = new Map([
    ['secret', 'SHORT'],
    ['secret/with "quotes"', 'LONG'],
  ]);
  expect(withoutSecrets('secret/with "quotes" secret', values)).toBe('[LONG] [SHORT]');
  expect(withoutSecrets(encodeURIComponent('secret/with "quotes"'), values)).toBe('[LONG]');
  expect(withoutSecrets(JSON.stringify({ a: 'secret/with "quotes"' }), values)).toBe('{"a":"[LONG]"}');
});

test('files that cannot be read: what is known is taken out all the same', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'airdock-secrets-'));
  const compose = () => Promise.reject(new Error('does not render'));
  expect(await secretsHere({ directory, compose } as unknown as Site)).toEqual({ values: new Map(), keys: [] });
  await rm(directory, { recursive: true });
});
