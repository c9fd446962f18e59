import { AirdockError } from '../../../errors.ts';
import { appliedIn, lastMigration, lastWords } from './migration-output.ts';

export type FailedMigration = {
  /** The release whose migration it was. */
  version: string;
  /** What the migration printed. */
  output: string;
  /** Undefined when another program ran the migration and did not report the exit code. */
  exitCode?: number | undefined;
  /** The database that it ran on: a copy on a throwaway server, the copy that was to be put in place, or the one that serves. */
  on: 'rehearsal' | 'copy' | 'live';
  /** A sentence that says where the whole output is. */
  more?: string | undefined;
  details?: Record<string, unknown>;
};

const consequence = {
  rehearsal:
    'Nothing was changed. Correct the rows that the message names, and run the same command again; or ask the vendor for a fixed release.',
  copy: 'It ran on a copy; the live database was not changed.',
  live: 'Its class is expand: the old version runs with the part that was applied, and the next try continues.',
};

/** The error of a migration that failed, wherever it ran: its name, its reason, and what that means for the data. */
export function migrationFailed({ version, output, exitCode, on, more, details }: FailedMigration): AirdockError {
  const migration = lastMigration(output);
  const [kind, where] = on === 'rehearsal' ? ['migration ', ' on a copy of your data'] : ['', ''];
  const what = migration === undefined ? 'the migration' : `${kind}${migration}`;
  const exit = exitCode === undefined ? '' : ` (exit ${exitCode})`;
  // of a copy nothing remains
  const applied = on === 'live' ? appliedIn(output) : [];
  const before = applied.length === 0 ? '' : `\nApplied before it, and not undone: ${applied.join(', ')}.`;
  return new AirdockError('MIGRATION_FAILED', `${what} of ${version} failed${where}${exit}: ${lastWords(output)}${before}`, {
    hint: [consequence[on], ...(more === undefined ? [] : [more])].join(' '),
    details: { migration: migration ?? null, applied, ...details },
  });
}
