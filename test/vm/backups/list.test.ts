import { describe, expect, test } from 'vitest';
import { backupsToDrop, type BackupEntry } from '../../../src/vm/backups/list.ts';

/** `p` proven, `u` unproven, `d` damaged; oldest first, named by their place. */
const backups = (states: string): BackupEntry[] =>
  states.split('').map((letter, index) => ({
    id: String(index),
    createdAt: null,
    release: null,
    schemaRelease: null,
    database: null,
    bytes: 0,
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
