import path from 'node:path';
import type { OpenBundle } from '../../bundle/reader.ts';
import type { Spool, TableDifference } from '../../data/postgres/compare/difference.ts';
import { AirdockError, consentRefused } from '../../errors.ts';
import { assertReadable, readBackup } from '../../data/postgres/backup/stored-backup.ts';
import { backupsFolder, readBackups } from '../backups/list.ts';
import { beginTransaction } from '../transaction/begin.ts';
import { assertClear } from '../plan/plan.ts';
import { discardLocal } from '../staging/discard-local.ts';
import { gatherFacts, type Facts } from '../plan/facts.ts';
import { restoreFor, restoreOf } from '../kept-databases/choose.ts';
import type { Host } from '../site/host.ts';
import { countAfterSwap, countBeforeSwap, removeSpool } from '../kept-databases/rows-left-aside.ts';
import { openTrusted } from '../site/open-trusted.ts';
import { makePlan } from '../plan/plan.ts';
import type { Plan } from '../plan/document.ts';
import { recover, type Recovered } from '../transaction/recover.ts';
import type { Release } from '../store/release.ts';
import { runForward, type Finished } from '../transaction/run.ts';
import { steps } from '../transaction/steps.ts';
import { changeSite, notADeployment, type ManagedSite } from '../site/site.ts';
import { rollbackTargets, type State, type StoredRelease } from '../state/state.ts';
import { readStoredRelease } from '../store/release.ts';

/** Goes back to a release in the store, without a network. */
export type RollbackOptions = {
  directory: string;
  version?: string | undefined;
  discardLocal?: boolean | undefined;
  restoreDatabase?: boolean | undefined;
  /** The operator's consent when airdock has none of the data: they have restored the data. */
  dataIsSavedElsewhere?: boolean | undefined;
  /** The backup that `backup restore` puts in place; the release stays. */
  backup?: string | undefined;
  /** age identities, to read an encrypted backup. */
  identities?: readonly string[] | undefined;
  /** A bundle, of this or another release of the product, that has blobs which the store lost. */
  bundle?: string | undefined;
};
export type RollbackResult = {
  version: string;
  plan: Plan | undefined;
  recovered: Recovered | undefined;
  /** Undefined when the release was current already. */
  finished: Finished | undefined;
  /** How the rows of the database put aside differ from the one that came back; null when none was put aside, or the count failed. */
  leftAside: TableDifference[] | null;
};

export async function rollback(
  host: Host,
  options: RollbackOptions,
  consent: (plan: Plan) => Promise<boolean>,
): Promise<RollbackResult> {
  return changeSite(host, options, async (site) => {
    const deployment = site.state.deployment();
    if (!deployment) throw notADeployment(site.directory);
    const recovered = await recover(site);
    const { current } = site.state.deployment() ?? {};
    if (current && options.version === current && options.backup === undefined)
      return { version: current, plan: undefined, recovered, finished: undefined, leftAside: null };
    const stored = options.backup === undefined ? targetOf(site.state, options.version) : currentOf(site);
    const release = await readStoredRelease(site.store, stored);
    const bundle = options.bundle === undefined ? undefined : await openOwn(site, options.bundle);
    try {
      const { facts, spool } = await countedFacts(site, await factsOf(site, release, options, bundle));
      const plan = makePlan(facts, steps);
      assertClear(plan);
      if (plan.restore?.backup)
        await assertReadable(await readBackup(path.join(backupsFolder(site), plan.restore.backup)), site.keys);
      if (!(await consent(plan))) throw consentRefused();
      if (options.discardLocal) await discardLocal(site);
      const transaction = await beginTransaction(site, { facts, plan, release, bundle });
      const finished = await runForward(
        transaction,
        plan.steps.map((step) => step.id),
      );
      const leftAside = spool ? await countAfterSwap(site, finished.transaction, spool) : null;
      return { version: plan.to, plan, recovered, finished, leftAside };
    } finally {
      await bundle?.close();
      await removeSpool(site);
    }
  });
}

/** Adds the counts of differing rows. Counting takes a while, so it is done only if the operator's consent is all that is missing. */
async function countedFacts(site: ManagedSite, facts: Facts): Promise<{ facts: Facts; spool?: Spool | undefined }> {
  const { findings } = makePlan(facts, steps);
  if (!facts.restore?.kept || findings.some(({ code }) => code !== 'RESTORE_DATABASE_NEEDED')) return { facts };
  const { aside, since, spool } = await countBeforeSwap(site, facts.restore.kept);
  return { facts: { ...facts, aside, since }, spool };
}

async function factsOf(
  site: ManagedSite,
  release: Release,
  options: RollbackOptions,
  bundle: OpenBundle | undefined,
): Promise<Facts> {
  const carried = new Set(
    bundle && [...bundle.sums.entries()].filter(([name]) => !bundle.leftOut.includes(name)).map(([, digest]) => digest),
  );
  const restore =
    options.backup === undefined
      ? await restoreFor(site.state, release.manifest, () => readBackups(site))
      : await namedBackup(site, options.backup);
  return gatherFacts({
    site,
    records: site,
    kind: 'rollback',
    release,
    inputs: {},
    missingBlobs: (blobs) => site.store.missing(blobs),
    inBundle: (digest) => carried.has(digest),
    restore,
    restoreDatabase: options.restoreDatabase,
    dataIsSavedElsewhere: options.dataIsSavedElsewhere,
    discardLocal: options.discardLocal,
  });
}

/** Opens a bundle of the installed product that is signed by a trusted key. @throws PRODUCT_MISMATCH */
async function openOwn({ host, state }: ManagedSite, file: string): Promise<OpenBundle> {
  const bundle = await openTrusted(host, { bundle: file, trust: {} }, state.trust.all());
  const { product } = bundle.manifest;
  if (product === state.deployment()?.product) return bundle;
  await bundle.close();
  throw new AirdockError('PRODUCT_MISMATCH', `the bundle is of ${product}`, {
    hint: 'Give a bundle of the product that is installed here.',
  });
}

async function namedBackup(site: ManagedSite, id: string): Promise<Plan['restore']> {
  const entries = await readBackups(site);
  const backup = entries.find((entry) => entry.id === id);
  if (backup && backup.state !== 'damaged') return restoreOf(backup);
  throw new AirdockError(
    backup ? 'BACKUP_DAMAGED' : 'FILE_NOT_FOUND',
    backup ? `the backup ${id} is damaged: its files were changed` : `there is no backup ${id} here`,
    { hint: `Backups here: ${entries.map((entry) => `${entry.id} (${entry.state})`).join(', ') || 'none'}.` },
  );
}

function currentOf({ state, directory }: ManagedSite): StoredRelease {
  const current = state.deployment()?.current;
  const stored = current ? state.release(current) : undefined;
  if (!stored) throw notADeployment(directory);
  return stored;
}

/** The release to go back to: the named one, or the one that became good last before the current one. */
function targetOf(state: State, version: string | undefined): StoredRelease {
  const current = state.deployment()?.current ?? null;
  const kept = rollbackTargets(state);
  const list = kept.map((release) => release.version).join(', ') || 'none';
  if (version === undefined) {
    const latest = kept.toSorted((a, b) => String(b.goodAt).localeCompare(String(a.goodAt)))[0];
    if (latest) return latest;
    throw new AirdockError('ROLLBACK_REFUSED', `there is no release to go back to from ${current ?? 'nothing'}`, {
      hint: 'The store keeps releases from the first install or adoption on.',
    });
  }
  const target = kept.find((release) => release.version === version);
  if (target) return target;
  throw new AirdockError('ROLLBACK_REFUSED', `the store has no release ${version} that was good here`, {
    hint: `Kept releases: ${list}.`,
  });
}
