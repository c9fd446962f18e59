import { AirdockError } from '../../../errors.ts';
import { appliedIn, lastMigration, lastWords } from './migration-output.ts';

export type FailedMigration = {
  /** The release whose migration it was. */
  version: string;
  /** What it printed. */
  output: string;
  /** Undefined where another program ran the migration and did not say. */
  exitCode?: number | undefined;
  /** The database that it ran on: a copy on a throwaway server, the copy that was to be put in place, or the one that serves. */
  on: 'rehearsal' | 'copy' | 'live';
  /** A sentence that says where all of what it printed is, or what became of it. */
  more?: string | undefined;
  details?: Record<string, unknown>;
};

const consequence = {
  rehearsal:
    'Nothing was changed. Put right the rows that it names, and run the same command again; or ask the vendor for a fixed release.',
  copy: 'It ran on a copy; the database that served is as it was.',
  live: 'Its class is expand: whatever part was applied, the old version runs on it, and the next try continues.',
};

/** The error of a migration that failed, wherever it ran: its name, its reason, and what that means for the data. */
export function migrationFailed({ version, output, exitCode, on, more, details }: FailedMigration): AirdockError {
  const migration = lastMigration(output);
  const [kind, where] = on === 'rehearsal' ? ['migration ', ' on a copy of your data'] : ['', ''];
  const what = migration === undefined ? 'the migration' : `${kind}${migration}`;
  const exit = exitCode === undefined ? '' : ` (exit ${exitCode})`;
  // a copy is thrown away, with what was applied to it
  const applied = on === 'live' ? appliedIn(output) : [];
  const before = applied.length === 0 ? '' : `\nApplied before it, and there to stay: ${applied.join(', ')}.`;
  return new AirdockError('MIGRATION_FAILED', `${what} of ${version} failed${where}${exit}: ${lastWords(output)}${before}`, {
    hint: [consequence[on], ...(more === undefined ? [] : [more])].join(' '),
    details: { migration: migration ?? null, applied, ...details },
  });
}
