import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { databaseAccess, environmentOf } from '../../../src/vm/database/access.ts';
import { parseEnvFile } from '../../../src/vm/env/file.ts';
import { makeRelease } from '../../helpers/bundle.ts';

const { manifest: bare } = makeRelease({ version: '0.3.0' });
const database = { service: 'db', urlKey: 'DB_URL', userKey: 'U', passwordKey: 'P', nameKey: 'N' };
const manifest = { ...bare, database, migration: { ...bare.migration, service: 'api' } };
const access = (env: string) => databaseAccess(manifest, parseEnvFile(env, '.env'));

function attempt(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('where the database is', () => {
  test('without a URL, or with an empty one: the service, with the single values', () => {
    const single = { service: 'db', user: 'u', password: 'p', name: 'n' };
    expect(access('U=u\nP=p\nN=n\n')).toEqual(single);
    expect(access('U=u\nP=p\nN=n\nDB_URL=\n')).toEqual(single);
  });

  test('a URL: its values, decoded, and the variables for libpq', () => {
    const text =
      'postgresql://app%40site:p%2Fw%3A%25@db.example:6432/Notes%20db?sslmode=verify-full&connect_timeout=3&application_name=x';
    expect(access(`DB_URL='${text}'\n`)).toEqual({
      service: 'db',
      user: 'app@site',
      password: 'p/w:%',
      name: 'Notes db',
      url: { key: 'DB_URL', text },
      elsewhere: {
        host: 'db.example',
        port: 6432,
        environment: { PGSSLMODE: 'verify-full', PGCONNECT_TIMEOUT: '3' },
        networkOf: 'api',
      },
    });
    expect(access('DB_URL=postgres://u:p@[fd00::5]/n\n')).toMatchObject({ elsewhere: { host: 'fd00::5', port: 5432 } });
  });

  test('a URL that names the service itself: the database is not on another server', () => {
    const found = access('DB_URL=postgres://u:p@db/n\n');
    expect(found).toMatchObject({ service: 'db', user: 'u', password: 'p', name: 'n' });
    expect(found).not.toHaveProperty('elsewhere');
  });

  test.each([
    ['mysql://u:p@h/n', /is not a URL/],
    ['h:5432/n', /is not a URL/],
    ['postgresql:///n', /is not a URL/],
    ['postgresql://u:secret@h', /names no database/],
    ['postgresql://h/n', /names no user/],
    ['postgresql://u:secret%zz@h/n', /%XX/],
    ['postgresql://u:secret@h/n?sslrootcert=/etc/ca.pem', /sslrootcert/],
    ['postgresql://u:secret@h,i/n', /several hosts|is not a URL/],
  ])('%s: refused, and not quoted', (url, message) => {
    const refusal = attempt(() => access(`DB_URL=${url}\n`));
    expect(refusal).toMatchObject({ code: 'ENV_INVALID', message: expect.stringMatching(message) as string });
    expect(inspect(refusal)).not.toContain('secret');
  });

  test('the migration gets the URL of a copy: on the same server, on another one', () => {
    const at = access('DB_URL=postgresql://u:p%3A@h:6432/n?sslmode=require\n')!;
    expect(environmentOf(manifest, at, 'airdock 7')).toEqual({
      DB_URL: 'postgresql://u:p%3A@h:6432/airdock%207?sslmode=require',
    });
    expect(environmentOf(manifest, at, 'n', 'db')).toEqual({ DB_URL: 'postgresql://u:p%3A@db:5432/n' });
    expect(environmentOf(manifest, access('U=u\nP=p\nN=n\n')!, 'copy')).toEqual({ N: 'copy' });
  });
});
