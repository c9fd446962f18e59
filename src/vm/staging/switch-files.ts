import path from 'node:path';
import { digestOf } from '../../digest.ts';
import { AirdockError } from '../../errors.ts';
import { ensureDirectory, readIfExists, removeTree, replaceFile } from '../../io/files.ts';
import { warnOnFailure } from '../../events.ts';
import { parseEnvFile } from '../env/file.ts';
import type { ManagedSite } from '../site/site.ts';
import { snapshotFolder, type Place, type Snapshot } from '../state/names.ts';
import type { Staged } from './stage.ts';

const modes = { 'compose.yaml': 0o644, '.env': 0o600 } as const;

export async function saveSnapshots(place: Place, id: number, staged: Staged): Promise<void> {
  const before = snapshotFolder(place, id, 'before');
  const after = snapshotFolder(place, id, 'after');
  await ensureDirectory(before);
  await ensureDirectory(after);
  for (const name of ['compose.yaml', '.env'] as const) {
    const bytes = await readIfExists(path.join(place.directory, name));
    if (bytes) await replaceFile(path.join(before, name), bytes, { mode: 0o600 });
  }
  await replaceFile(path.join(after, 'compose.yaml'), staged.compose, { mode: 0o600 });
  await replaceFile(path.join(after, '.env'), staged.env, { mode: 0o600 });
}

/** A saved file; undefined when the directory had no such file. */
export async function snapshotFile(
  place: Place,
  id: number,
  side: Snapshot,
  name: 'compose.yaml' | '.env',
): Promise<Buffer | undefined> {
  return readIfExists(path.join(snapshotFolder(place, id, side), name));
}

/** Removes the saved files of an ended transaction, because they hold secrets. If that fails, the next command tries again. */
export async function removeSnapshots(site: Place & Pick<ManagedSite, 'host'>, id: number): Promise<void> {
  for (const side of ['before', 'after'] as const) {
    const folder = snapshotFolder(site, id, side);
    await warnOnFailure(site.host.listener, `${folder} could not be removed`, () => removeTree(folder));
  }
}

/** @throws STEP_FAILED when somebody edited one of the files since they were saved */
export async function assertUnedited(place: Place, id: number): Promise<void> {
  for (const name of ['compose.yaml', '.env'] as const) {
    const saved = await snapshotFile(place, id, 'before', name);
    const current = await readIfExists(path.join(place.directory, name));
    if (saved === undefined ? current === undefined : current?.equals(saved)) continue;
    throw new AirdockError('STEP_FAILED', `${name} was edited while the transaction ran`, {
      hint: 'Your edit is kept, and the switch did not happen. Run the same command again: it starts from the edited file.',
    });
  }
}

/**
 * Replaces the directory's files by the saved ones of `side`. If somebody edited `.env` in the meantime, only VERSION is set in it.
 * The same with `keepAdded`, when `.env` holds secrets that the transaction generated.
 */
export async function writeSnapshot(place: Place, id: number, side: Snapshot, keepAdded = false): Promise<void> {
  const compose = await snapshotFile(place, id, side, 'compose.yaml');
  if (compose) await replaceFile(path.join(place.directory, 'compose.yaml'), compose, { mode: modes['compose.yaml'] });
  else await removeTree(path.join(place.directory, 'compose.yaml'));
  const env = await snapshotFile(place, id, side, '.env');
  if (!env) return; // a first install that is undone: the generated secrets stay
  const file = path.join(place.directory, '.env');
  const current = await readIfExists(file);
  const other = await snapshotFile(place, id, side === 'after' ? 'before' : 'after', '.env');
  if (current?.equals(env)) return;
  const edited = current !== undefined && !(other?.equals(current) ?? false);
  const version = parseEnvFile(env, '.env').get('VERSION') ?? '';
  const bytes =
    current !== undefined && (edited || keepAdded) ? parseEnvFile(current, '.env').set('VERSION', version).toBytes() : env;
  await replaceFile(file, bytes, current === undefined ? { mode: modes['.env'] } : {});
}

export async function snapshotDigest(place: Place, id: number, side: Snapshot): Promise<string | null> {
  const compose = await snapshotFile(place, id, side, 'compose.yaml');
  return compose ? digestOf(compose) : null;
}
