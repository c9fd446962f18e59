import { expect, test } from 'vitest';
import { appliedIn, lastMigration, lastWords } from '../../../../src/data/postgres/migration/migration-output.ts';

const django = `Operations to perform:
  Apply all migrations: notes
Running migrations:
  Applying notes.0002_note_pinned... OK
  Applying notes.0003_unique_slug...Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/django/db/backends/utils.py", line 87, in _execute
    return self.cursor.execute(sql)
psycopg2.errors.UniqueViolation: could not create unique index "notes_slug_key"
DETAIL:  Key (slug)=(meeting-2024) is duplicated.

The above exception was the direct cause of the following exception:

django.db.utils.IntegrityError: could not create unique index "notes_slug_key"
DETAIL:  Key (slug)=(meeting-2024) is duplicated.
`;

test('the migration that failed, and the error of the database', () => {
  expect(lastMigration(django)).toBe('notes.0003_unique_slug');
  expect(appliedIn(django)).toEqual(['notes.0002_note_pinned']);
  expect(lastWords(django)).toBe(
    'could not create unique index "notes_slug_key" — DETAIL:  Key (slug)=(meeting-2024) is duplicated.',
  );
});

test('other tools; one that says nothing', () => {
  expect(lastMigration('INFO  [alembic.runtime.migration] Running upgrade 1a2b -> 3c4d, unique slug\nError')).toBe('3c4d');
  expect(lastMigration('INFO  [alembic.runtime.migration] Running upgrade  -> 1a2b, first')).toBe('1a2b');
  expect(lastMigration('== 20240101 AddSlug: migrating =====\nPG::Error')).toBe('20240101 AddSlug');
  expect(lastMigration('ERROR: syntax error')).toBeUndefined();
  expect(lastWords('\n \n')).toBe('it printed nothing');
  expect(lastWords('panic: ERROR: no')).toBe('panic: ERROR: no');
});
