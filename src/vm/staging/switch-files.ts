import path from 'node:path';
import { digestOf } from '../../digest.ts';
import { AirdockError } from '../../errors.ts';
import { ensureDirectory, readIfExists, removeTree, replaceFile } from '../../io/files.ts';
import { afterwards } from '../transaction/afterwards.ts';
import { parseEnvFile } from '../env/file.ts';
import type { ManagedSite } from '../site/site.ts';
import { folderOf } from '../transaction/transaction.ts';
import type { Staged } from './stage.ts';

/**
 * `compose.yaml` and `.env`, before and after a transaction. Both are saved before the switch commits, so that each
 * direction copies bytes and computes nothing anew (docs/adr/0001-transaction.md, "Before anything").
 */

type Place = { directory: string; airdock: string };
export type Side = 'before' | 'after';
const modes = { 'compose.yaml': 0o644, '.env': 0o600 } as const;

export function sideFolder(place: Place, id: number, side: Side): string {
  return path.join(folderOf(place, id), side);
}

export async function saveSides(place: Place, id: number, staged: Staged): Promise<void> {
  const before = sideFolder(place, id, 'before');
  const after = sideFolder(place, id, 'after');
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
export async function savedFile(
  place: Place,
  id: number,
  side: Side,
  name: 'compose.yaml' | '.env',
): Promise<Buffer | undefined> {
  return readIfExists(path.join(sideFolder(place, id, side), name));
}

/** They hold secrets: gone when the transaction has ended. What cannot be removed is tried again by the next command. */
export async function dropSides(site: Place & Pick<ManagedSite, 'host'>, id: number): Promise<void> {
  for (const side of ['before', 'after'] as const) {
    const folder = sideFolder(site, id, side);
    await afterwards(site, `${folder} could not be removed`, () => removeTree(folder));
  }
}

/** @throws STEP_FAILED when somebody edited one of the files since they were saved */
export async function assertUnedited(place: Place, id: number): Promise<void> {
  for (const name of ['compose.yaml', '.env'] as const) {
    const saved = await savedFile(place, id, 'before', name);
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
export async function putSide(place: Place, id: number, side: Side, keepAdded = false): Promise<void> {
  const compose = await savedFile(place, id, side, 'compose.yaml');
  if (compose) await replaceFile(path.join(place.directory, 'compose.yaml'), compose, { mode: modes['compose.yaml'] });
  else await removeTree(path.join(place.directory, 'compose.yaml'));
  const env = await savedFile(place, id, side, '.env');
  if (!env) return; // a first install that is undone: the generated secrets stay
  const file = path.join(place.directory, '.env');
  const found = await readIfExists(file);
  const other = await savedFile(place, id, side === 'after' ? 'before' : 'after', '.env');
  if (found?.equals(env)) return;
  const edited = found !== undefined && !(other?.equals(found) ?? false);
  const version = parseEnvFile(env, '.env').get('VERSION') ?? '';
  const bytes =
    found !== undefined && (edited || keepAdded) ? parseEnvFile(found, '.env').set('VERSION', version).toBytes() : env;
  await replaceFile(file, bytes, found === undefined ? { mode: modes['.env'] } : {});
}

export async function sideDigest(place: Place, id: number, side: Side): Promise<string | null> {
  const compose = await savedFile(place, id, side, 'compose.yaml');
  return compose ? digestOf(compose) : null;
}
