import path from 'node:path';
import { stat } from 'node:fs/promises';
import { reachedAfter } from '../../policy/reached.ts';
import { manifestName } from '../../bundle/names.ts';
import type { OpenBundle } from '../../bundle/reader.ts';
import type { BundleManifest } from '../../bundle/manifest.ts';
import { digestOf } from '../../digest.ts';
import { AirdockError } from '../../errors.ts';
import { ensureDirectory, readIfExists, replaceFile } from '../../io/files.ts';
import { bytesText } from '../../units.ts';
import { resumeAtBoot } from '../site/boot.ts';
import { exportRelease } from '../adopt/export.ts';
import type { AdoptedFiles } from '../adopt/files.ts';
import type { FoundStack } from '../adopt/found.ts';
import { adoptedFiles, undoAdoption } from './undo-adoption.ts';
import { settleInstaller } from '../site/installer.ts';
import { placeSelf } from '../site/placed-program.ts';
import type { TransactionRecord } from '../state/journal.ts';
import type { Release } from '../store/release.ts';
import { writeReport } from '../site/report.ts';
import { taggedSite, type ManagedSite } from '../site/site.ts';
import { asFailure, runStep } from './run-step.ts';
import { importStep } from './steps/import.ts';
import { removeSnapshots } from '../staging/switch-files.ts';
import { snapshotFolder } from '../state/names.ts';
import type { Progress } from '../../events.ts';
import { folderOf } from '../state/names.ts';

/** An adoption that the operator agreed to. */
export type Adopting = {
  stack: FoundStack;
  files: AdoptedFiles;
  bundle: OpenBundle | undefined;
  /** The release that the files come from; undefined when it is unknown. */
  release: Release | undefined;
};

/**
 * The transaction of an adoption: import, files, then one commit that makes the deployment airdock's. A failure before that commit
 * puts everything back. @returns the number of the transaction
 */
export async function carryOutAdoption(unmarked: ManagedSite, adopting: Adopting): Promise<number> {
  const { stack, bundle } = adopting;
  const { host, journal, state } = unmarked;
  const from = state.deployment()?.current ?? null;
  await placeSelf(unmarked);
  await resumeAtBoot(unmarked);
  const record = journal.begin({
    kind: 'adopt',
    from,
    to: stack.version,
    class: adopting.release ? 'none' : 'unknown',
    operator: host.operator,
    program: host.program.version,
  });
  const site = taggedSite(unmarked, record.id);
  const running = { site, record, signal: host.signal };
  try {
    let exported: BundleManifest | undefined;
    await ensureDirectory(folderOf(site, record.id));
    if (bundle) await runStep({ ...running, bundle }, importStep);
    else if (!adopting.release) {
      const run = async (_: unknown, progress: Progress): Promise<string> => {
        const exportResult = await exportRelease(site, stack, path.join(folderOf(site, record.id), 'scratch'), progress);
        exported = exportResult.manifest;
        return `${exported.images.length} images from the engine, ${bytesText(exportResult.bytes)}`;
      };
      await runStep(running, { id: 'import', run });
    }
    await saveFiles(site, record.id, adopting);
    await runStep(running, { id: 'files', run: (_, progress) => writeFiles(site, record.id, adopting.files, progress) });
    if (exported)
      await site.store.putRelease(
        stack.version,
        new Map([
          ['compose.yaml', stack.main.bytes],
          [manifestName, Buffer.from(JSON.stringify(exported))],
        ]),
      );
    await settleInstaller(site, record.id);
    commitAdopted(site, record, adopting, exported);
  } catch (error) {
    const failure = asFailure(error, host.signal);
    journal.turnToUndo(record.id, failure.message);
    await undoAdoption(site, { ...record, error: failure.message });
    throw failure;
  }
  await removeSnapshots(site, record.id);
  await writeReport(site, record.id);
  return record.id;
}

/** Saves the files before and after, for an undo, and the operator's own compose file permanently. */
async function saveFiles(site: ManagedSite, id: number, { files, stack }: Adopting): Promise<void> {
  const [before, after, original] = [
    snapshotFolder(site, id, 'before'),
    snapshotFolder(site, id, 'after'),
    path.join(folderOf(site, id), 'original'),
  ];
  for (const folder of [before, after, original]) await ensureDirectory(folder);
  await replaceFile(path.join(original, path.basename(stack.main.name)), stack.main.bytes, { mode: 0o600 });
  for (const name of adoptedFiles) {
    const current = await readIfExists(path.join(site.directory, name));
    if (current) await replaceFile(path.join(before, name), current, { mode: 0o600 });
    const bytes = files[name];
    if (bytes) await replaceFile(path.join(after, name), bytes, { mode: 0o600 });
    const looked = name === '.env' ? stack.env.toBytes() : name === stack.main.name ? stack.main.bytes : current;
    if (looked === undefined ? current !== undefined : !current?.equals(looked))
      throw new AirdockError('STEP_FAILED', `${name} was edited while airdock was working`, {
        hint: 'Run the same command again: it starts from the edited file.',
      });
  }
}

async function writeFiles(site: ManagedSite, id: number, files: AdoptedFiles, progress: Progress): Promise<string> {
  // New files get the mode of compose.yaml.
  const main = await stat(path.join(site.directory, 'compose.yaml')).catch(() => undefined);
  let written = 0;
  for (const name of adoptedFiles) {
    const bytes = await readIfExists(path.join(snapshotFolder(site, id, 'after'), name));
    if (!bytes) continue;
    const exists = (await readIfExists(path.join(site.directory, name))) !== undefined;
    await replaceFile(path.join(site.directory, name), bytes, exists ? {} : { mode: main ? main.mode & 0o777 : 0o600 });
    progress((written += bytes.length));
  }
  return written === 0 ? 'no file changed' : files.names.join(', ');
}

function commitAdopted(
  site: ManagedSite,
  record: TransactionRecord,
  adopting: Adopting,
  exported: BundleManifest | undefined,
): void {
  const { state, journal, host } = site;
  const { stack, files, bundle, release } = adopting;
  const { version } = stack;
  const now = host.clock().toISOString();
  state.commit(() => {
    const product = release?.manifest.product ?? state.deployment()?.product ?? null;
    const before = state.deployment();
    if (!before) state.createDeployment({ product, project: site.project, endpoint: site.endpoint });
    if (exported) state.putRelease({ version, origin: 'adopted', manifest: exported, storedAt: now });
    state.updateDeployment({
      product,
      current: version,
      phase: 'good',
      ...reachedAfter(before, { version, securityFloor: bundle?.manifest.securityFloor }),
      composeDigest: digestOf(files['compose.yaml'] ?? stack.main.bytes),
    });
    state.markGood(version, now);
    journal.record(record.id, 'good', 'done');
    journal.end(record.id, 'done');
  });
}
