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

/** Undefined where there was no file. */
export async function snapshotFile(
  place: Place,
  id: number,
  side: Snapshot,
  name: 'compose.yaml' | '.env',
): Promise<Buffer | undefined> {
  return readIfExists(path.join(snapshotFolder(place, id, side), name));
}

/** They hold secrets: gone when the transaction has ended. What cannot be removed is tried again by the next command. */
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
    const found = await readIfExists(path.join(place.directory, name));
    if (saved === undefined ? found === undefined : found?.equals(saved)) continue;
    throw new AirdockError('STEP_FAILED', `${name} was edited while the transaction ran`, {
      hint: 'Your edit is kept, the switch did not happen. Run the same command again: it starts from the file as it is now.',
    });
  }
}

/**
 * Makes the directory's files those of that side, whichever of them were there. An `.env` that was edited since keeps the
 * edit: only VERSION is set in it. So does, with `keepAdded`, one that holds secrets which the transaction generated.
 */
export async function writeSnapshot(place: Place, id: number, side: Snapshot, keepAdded = false): Promise<void> {
  const compose = await snapshotFile(place, id, side, 'compose.yaml');
  if (compose) await replaceFile(path.join(place.directory, 'compose.yaml'), compose, { mode: modes['compose.yaml'] });
  else await removeTree(path.join(place.directory, 'compose.yaml'));
  const env = await snapshotFile(place, id, side, '.env');
  if (!env) return; // a first install that is undone: the generated secrets stay
  const file = path.join(place.directory, '.env');
  const found = await readIfExists(file);
  const other = await snapshotFile(place, id, side === 'after' ? 'before' : 'after', '.env');
  if (found?.equals(env)) return;
  const edited = found !== undefined && !(other?.equals(found) ?? false);
  const version = parseEnvFile(env, '.env').get('VERSION') ?? '';
  const bytes =
    found !== undefined && (edited || keepAdded) ? parseEnvFile(found, '.env').set('VERSION', version).toBytes() : env;
  await replaceFile(file, bytes, found === undefined ? { mode: modes['.env'] } : {});
}

export async function snapshotDigest(place: Place, id: number, side: Snapshot): Promise<string | null> {
  const compose = await snapshotFile(place, id, side, 'compose.yaml');
  return compose ? digestOf(compose) : null;
}
