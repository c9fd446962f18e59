import path from 'node:path';
import { readIfExists, removeTree, replaceFile } from '../../io/files.ts';
import { parseEnvFile } from '../env/file.ts';
import type { TransactionRecord } from '../state/journal.ts';
import { writeReport } from '../site/report.ts';
import type { ManagedSite } from '../site/site.ts';
import { removeSnapshots } from '../staging/switch-files.ts';
import { snapshotFolder } from '../state/names.ts';

/** In this order every prefix means the same stack, or one that compose refuses to read: never another one. */
export const adoptedFiles = ['compose.adopted.yaml', '.env', 'compose.yaml'] as const;

/**
 * Puts back what an adoption wrote, and ends it; no container is touched. May be repeated. A file that was edited since is
 * the operator's: it stays, and is named.
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

/** False for a file that is neither as it was nor as airdock wrote it. */
async function putBack(site: ManagedSite, id: number, name: (typeof adoptedFiles)[number]): Promise<boolean> {
  const file = path.join(site.directory, name);
  const found = await readIfExists(file);
  const before = await readIfExists(path.join(snapshotFolder(site, id, 'before'), name));
  const after = await readIfExists(path.join(snapshotFolder(site, id, 'after'), name));
  if (after === undefined || found === undefined || before?.equals(found)) return true;
  if (!found.equals(after)) return name === '.env' && before !== undefined ? restoreSetting(file, found, before, after) : false;
  if (before === undefined) await removeTree(file);
  else await replaceFile(file, before);
  return true;
}

/** The edit stays; COMPOSE_FILE must not go on naming a file that is taken away. */
async function restoreSetting(file: string, found: Buffer, before: Buffer, after: Buffer): Promise<boolean> {
  const [env, ours] = [parseEnvFile(found), parseEnvFile(after).get('COMPOSE_FILE')];
  if (env.get('COMPOSE_FILE') !== ours) return false;
  await replaceFile(file, env.set('COMPOSE_FILE', parseEnvFile(before).get('COMPOSE_FILE') ?? '').toBytes());
  return false;
}
