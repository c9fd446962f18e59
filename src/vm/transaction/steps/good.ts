import { reachedAfter } from '../../../policy/reached.ts';
import type { ManagedSite } from '../../site/site.ts';
import { swapOf } from '../../database/swap-record.ts';
import type { Transaction } from '../transaction.ts';

/** One commit: the release is current for good, what was put aside is on record; done, unless traffic is still to be opened. */
export function commitGood({ site, record, plan, target }: Transaction): void {
  const { state, journal } = site;
  const { manifest } = target;
  state.commit(() => {
    const before = state.deployment();
    // on a way back with data of the operator's own, that data has the schema of the release it belongs to
    const ownData = plan.kind === 'rollback' && plan.unsavedData;
    const schemaKnown = ownData ? manifest.version : (before?.schemaRelease ?? null);
    state.updateDeployment({
      product: manifest.product,
      phase: 'good',
      schemaRelease: reachedAfter(before && { ...before, schemaRelease: schemaKnown }, manifest).schemaRelease,
    });
    // what was adopted without a bundle did not know its product: this one says it
    for (const release of state.releases())
      if (release.origin === 'adopted')
        state.putRelease({ ...release, manifest: { ...release.manifest, product: manifest.product } });
    journal.record(record.id, 'good', 'done');
    keepAside(site, record.id);
    if (!plan.steps.some((step) => step.id === 'traffic')) endGood({ site, record, target });
  });
}

/** What ran well becomes what nothing goes below, and a target for a way back. Inside of a commit. */
export function endGood({ site, record, target }: Pick<Transaction, 'site' | 'record' | 'target'>): void {
  const { state, journal } = site;
  const { manifest } = target;
  state.updateDeployment(reachedAfter(state.deployment(), manifest));
  state.markGood(manifest.version, site.host.clock().toISOString());
  journal.end(record.id, 'done');
}

function keepAside(site: ManagedSite, id: number): void {
  const swap = swapOf(site, id);
  if (!swap) return;
  const { state, host } = site;
  state.forgetKept(swap.next.name);
  state.keepDatabase({
    name: swap.aside,
    oid: swap.live.oid,
    release: swap.release,
    schemaRelease: swap.schemaRelease,
    transaction: id,
    keptAt: host.clock().toISOString(),
    backup: null,
  });
}
