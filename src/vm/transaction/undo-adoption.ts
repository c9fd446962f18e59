import path from 'node:path';
import { readIfExists, removeTree, replaceFile } from '../../io/files.ts';
import { parseEnvFile } from '../env/file.ts';
import type { TransactionRecord } from '../state/journal.ts';
import { writeReport } from '../site/report.ts';
import type { ManagedSite } from '../site/site.ts';
import { removeSnapshots } from '../staging/switch-files.ts';
import { snapshotFolder } from '../state/names.ts';

/** Written in this order, the files always mean the same deployment, or compose refuses to read them; they never mean another one. */
export const adoptedFiles = ['compose.adopted.yaml', '.env', 'compose.yaml'] as const;

/**
 * Restores the files that an adoption wrote, and ends the transaction; no container is touched. May be repeated. A file that was
 * edited in the meantime stays, and is named in a warning.
 */
export async function undoAdoption(site: ManagedSite, record: TransactionRecord): Promise<void> {
  const { journal, state, host } = site;
  const failure = record.error ?? 'airdock was killed';
  journal.turnToUndo(record.id, failure);
  if (journal.has(record.id, 'files', 'intent'))
    for (const name of adoptedFiles.toReversed())
      if (!(await putBack(site, record.id, name)))
        host.listener({ type: 'warning', text: `${name} was edited after airdock had written it, and stays as it is` });
  state.commit(() => {
    journal.record(record.id, 'undo', 'done');
    journal.end(record.id, 'undone', failure);
  });
  await removeSnapshots(site, record.id);
  await writeReport(site, record.id);
}

/** False if the file has neither its former content nor the content that airdock wrote. */
async function putBack(site: ManagedSite, id: number, name: (typeof adoptedFiles)[number]): Promise<boolean> {
  const file = path.join(site.directory, name);
  const current = await readIfExists(file);
  const before = await readIfExists(path.join(snapshotFolder(site, id, 'before'), name));
  const after = await readIfExists(path.join(snapshotFolder(site, id, 'after'), name));
  if (after === undefined || current === undefined || before?.equals(current)) return true;
  if (!current.equals(after))
    return name === '.env' && before !== undefined ? restoreSetting(file, current, before, after) : false;
  if (before === undefined) await removeTree(file);
  else await replaceFile(file, before);
  return true;
}

/** Keeps the operator's edits of `.env`, but resets COMPOSE_FILE, which must not name a removed file. */
async function restoreSetting(file: string, current: Buffer, before: Buffer, after: Buffer): Promise<boolean> {
  const [env, writtenByAirdock] = [parseEnvFile(current), parseEnvFile(after).get('COMPOSE_FILE')];
  if (env.get('COMPOSE_FILE') !== writtenByAirdock) return false;
  await replaceFile(file, env.set('COMPOSE_FILE', parseEnvFile(before).get('COMPOSE_FILE') ?? '').toBytes());
  return false;
}
