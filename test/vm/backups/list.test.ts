import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { backupsToDrop, readBackups, type BackupEntry } from '../../../src/vm/backups/list.ts';
import { restoreOf } from '../../../src/vm/kept-databases/choose.ts';

/** `p` proven, `u` unproven, `d` damaged; oldest first, named by their place. */
const backups = (states: string): BackupEntry[] =>
  states.split('').map((letter, index) => ({
    id: String(index),
    createdAt: null,
    release: null,
    schemaRelease: null,
    database: null,
    bytes: 0,
    restoredBytes: null,
    state: ({ p: 'proven', u: 'unproven', d: 'damaged' } as const)[letter as 'p' | 'u' | 'd'],
    provenAt: null,
    encrypted: false,
  }));

describe('which backups go', () => {
  test.each([
    ['the oldest ones', 'ppppp', 2, ['0', '1', '2']],
    ['none of too few', 'pu', 5, []],
    ['never the last proven one, whatever its age', 'ppuuu', 1, ['0', '2', '3']],
    ['no damaged one is counted as kept', 'uudd', 1, ['0']],
    ['a damaged one goes with those of its age', 'duuu', 2, ['0', '1']],
    ['nothing when all is damaged', 'ddd', 1, []],
  ])('%s', (_what, states, keep, expected) => {
    expect(backupsToDrop(backups(states), keep)).toEqual(expected);
  });
});

describe('the size of a restored backup', () => {
  const file = (name: string, bytes: number) => ({ file: name, bytes, sha256: '0'.repeat(64) });
  const metadata = {
    schema: 'airdock.backup/1',
    id: '20261130-1',
    createdAt: '2026-11-30T02:14:00Z',
    database: 'shop',
    user: 'shop',
    service: 'db',
    serverVersion: '15.8',
    release: '0.3.0',
    dump: file('dump', 700),
    roles: { ...file('roles.sql', 0), passwords: true },
    settings: file('settings.sql', 0),
    readBack: true,
    proven: true,
    seconds: 1,
  };

  test.each([
    ['the size that the database had', { databaseBytes: 50e9 }, 50e9],
    ['eight times the dump, in a backup that does not say it', {}, 5600],
  ])('%s', async (_what, change, expected) => {
    const airdock = await mkdtemp(path.join(tmpdir(), 'airdock-backups-'));
    try {
      const folder = path.join(airdock, 'backups/20261130-1');
      await mkdir(folder, { recursive: true });
      await writeFile(path.join(folder, 'metadata.json'), JSON.stringify({ ...metadata, ...change }));
      const [entry] = await readBackups({ airdock });
      expect(entry).toMatchObject({ id: '20261130-1', restoredBytes: expected });
      expect(restoreOf(entry!)).toMatchObject({ backup: '20261130-1', bytes: expected });
    } finally {
      await rm(airdock, { recursive: true });
    }
  });
});
