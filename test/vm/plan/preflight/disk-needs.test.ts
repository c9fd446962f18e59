import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { diskNeeds } from '../../../../src/vm/plan/preflight/disk-needs.ts';

const GB = 1e9;
type Restore = { backup: string | null; bytes?: number };
type Changes = Partial<Omit<typeof nothing, 'databaseBytes' | 'restore'>> & {
  databaseBytes?: number | undefined;
  restore?: Restore;
};
/** A backup of that size once it is restored. */
const backup = (bytes: number): Restore => ({ backup: '20261130-1', bytes });
const nothing = {
  site: { directory: tmpdir(), airdock: tmpdir(), host: { program: {} } },
  engine: { rootDir: tmpdir() },
  reserve: 0,
  missingBlobs: [],
  installer: [],
  load: { uncompressedBytes: 0, bytes: 0 },
  databaseBytes: 10 * GB,
  walBytes: GB,
  volumeBytes: 0,
  writes: false,
  copies: false,
  restore: null,
  rehearses: false,
  backsUp: false,
  databaseElsewhere: false,
};
const needs = async (change: Changes) => {
  const ledger = await diskNeeds({ ...nothing, ...change } as unknown as Parameters<typeof diskNeeds>[0]);
  const all = ledger.flatMap((disk) => disk.needs).filter(({ bytes }) => bytes > 0);
  return Object.fromEntries(all.map(({ what, bytes }) => [what, bytes / GB]));
};

test.each<[string, Changes, Record<string, number>]>([
  [
    'expand: the write-ahead log of the live database, its maximum at most',
    { backsUp: true, rehearses: true, writes: true },
    { backup: 10, rehearsal: 10.2, WAL: 1 },
  ],
  ['of a small database not more than its size', { databaseBytes: GB / 10, writes: true }, { WAL: 0.1 }],
  [
    'irreversible: the copy comes when the throwaway server is gone',
    { backsUp: true, rehearses: true, writes: true, copies: true },
    { backup: 10, 'rehearsal, then copy': 10.2, WAL: 1 },
  ],
  ['irreversible, not rehearsed', { backsUp: true, writes: true, copies: true }, { backup: 10, copy: 10, WAL: 1 }],
  [
    'a backup that comes back: its own size, not that of the small database that is live',
    { databaseBytes: GB / 100, restore: backup(50 * GB) },
    { 'restored backup': 50, WAL: 1 },
  ],
  ['a small backup over a large database', { restore: backup(GB / 10) }, { 'restored backup': 0.1, WAL: 0.1 }],
  [
    'a backup that comes back where no database is live',
    { databaseBytes: undefined, restore: backup(50 * GB) },
    { 'restored backup': 50, WAL: 1 },
  ],
  ['a kept database that comes back: a rename', { restore: { backup: null } }, {}],
  ['a backup for a server elsewhere', { databaseElsewhere: true, restore: backup(50 * GB) }, {}],
  ['volumes that a backup takes along', { backsUp: true, volumeBytes: 2 * GB }, { backup: 12 }],
  [
    'of a database elsewhere only what lies here',
    { databaseElsewhere: true, backsUp: true, rehearses: true, writes: true, copies: true },
    { backup: 10, rehearsal: 10.2 },
  ],
])('%s', async (_what, change, expected) => {
  expect(await needs(change)).toEqual(expected);
});
