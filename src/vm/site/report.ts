import path from 'node:path';
import type { AirdockError } from '../../errors.ts';
import { replaceFile } from '../../io/files.ts';
import { warnOnFailure } from '../../events.ts';
import type { ManagedSite } from './site.ts';
import { folderOf } from '../state/names.ts';

/**
 * Writes `transactions/ID/report.txt`: the steps, and the reason of a failure.
 * @param addedLines lines to append
 * @returns the path of the report
 */
export async function writeReport(
  site: ManagedSite,
  id: number,
  failure?: AirdockError,
  addedLines: readonly string[] = [],
): Promise<string> {
  const file = path.join(folderOf(site, id), 'report.txt');
  const record = site.journal.all().find((one) => one.id === id);
  if (!record) return file;
  const lines = [
    `airdock ${record.kind} ${record.from ?? '(nothing)'} -> ${record.to}, transaction ${id}, by ${record.operator}`,
    `started ${record.startedAt}, ended ${record.endedAt ?? '(open)'}, outcome ${record.outcome ?? 'open'}`,
    ...(record.backup === null ? [] : [`backup ${record.backup}`]),
    '',
    ...site.journal
      .steps(id)
      .map((step) => `${step.at}  ${step.step.padEnd(17)} ${step.state.padEnd(7)} ${text(step.detail)}`.trimEnd()),
    ...(failure ? ['', failure.message, ...(failure.hint === undefined ? [] : ['', `Next: ${failure.hint}`])] : []),
    ...(addedLines.length > 0 ? ['', ...addedLines] : []),
    '',
  ];
  await warnOnFailure(site.host.listener, 'the report could not be written', () =>
    replaceFile(file, lines.join('\n'), { mode: 0o600 }),
  );
  return file;
}

/** Column where the text of a step begins, after its time, name and state. */
const indent = 24 + 2 + 17 + 1 + 7 + 1;

function text(detail: Record<string, unknown>): string {
  const words = [detail['summary'], detail['error']].filter((value) => typeof value === 'string').join(' ');
  return words.replaceAll('\n', `\n${' '.repeat(indent)}`);
}
