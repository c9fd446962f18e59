import { assertUnedited, putSide, sideDigest } from '../switch-files.ts';
import type { Transaction } from '../transaction.ts';

/** One commit names the new release; the files follow. `commitSwitch` is the point of no return to "undo: nothing". */
export async function prepareSwitch({ site, record }: Transaction): Promise<() => void> {
  await assertUnedited(site, record.id);
  const composeDigest = await sideDigest(site, record.id, 'after');
  return () => site.state.updateDeployment({ current: record.to, phase: 'trial', composeDigest });
}

export async function switchFiles({ site, record, target }: Transaction): Promise<string> {
  await putSide(site, record.id, 'after');
  return `compose.yaml and .env name ${target.manifest.version}`;
}
