import { expect, test } from 'vitest';
import { checkDatabase } from '../../../../src/vm/plan/preflight/database.ts';
import { checkSwap } from '../../../../src/vm/plan/preflight/swap.ts';
import { context } from '../../../helpers/preflight-context.ts';

const { release } = context();
const standing = (version: string) => ({
  database: { service: 'db', name: 'notes', server: `PostgreSQL ${version}`, bytes: 1 },
  version,
  elsewhere: false,
  walBytes: 0,
  swap: undefined,
  failure: undefined,
});
const wants = (postgres: number | undefined) => {
  const { manifest } = release;
  return { manifest: { ...manifest, requires: { ...manifest.requires, postgres } } as typeof manifest };
};
const codes = (postgres: number | undefined, version: string) =>
  checkDatabase({ database: standing(version), release: wants(postgres) }).map(({ code }) => code);

test('a server of another major version than the release is made for', () => {
  expect(codes(16, '15.8')).toEqual(['POSTGRES_MAJOR']);
  expect(codes(15, '15.8')).toEqual([]);
  expect(codes(undefined, '15.8')).toEqual([]);
});

test('a database that could not be looked at says why, and nothing else', () => {
  const failure = { code: 'DATABASE_AUTH', text: 'wrong password', fix: 'Correct it.' } as const;
  const database = { ...standing(''), database: null, failure };
  expect(checkDatabase({ database, release: wants(15) })).toEqual([failure]);
  expect(checkDatabase({ database: undefined, release: wants(15) })).toEqual([]);
});

test('every reason for a swap to fail is found before it', () => {
  const fine = {
    user: 'notes',
    database: 'notes',
    may_create: true,
    owns: true,
    superuser: false,
    prepared: 0,
    slots: 0,
    recorded: '2.36',
    actual: '2.36',
  };
  const found = (change: Partial<typeof fine>) =>
    checkSwap({ database: { ...standing('15.8'), swap: { ...fine, ...change } } }).map(({ code }) => code);
  expect(found({})).toEqual([]);
  expect(found({ may_create: false, superuser: true })).toEqual([]);
  expect(found({ owns: false, prepared: 1, slots: 2, actual: '2.41' })).toEqual([
    'DATABASE_RIGHTS',
    'DATABASE_PREPARED_TRANSACTIONS',
    'DATABASE_SLOTS',
    'COLLATION_VERSION',
  ]);
  expect(checkSwap({ database: standing('15.8') })).toEqual([]);
});
