import { reachedAfter } from '../../../policy/reached.ts';
import { assertSwapped } from '../../database/assert-swapped.ts';
import { swapOf } from '../../database/swap-record.ts';
import { hasStep } from '../../plan/order.ts';
import { settleInstaller } from '../../site/installer.ts';
import type { ManagedSite } from '../../site/site.ts';
import { endGood } from '../end-good.ts';
import type { Step } from '../step.ts';
import type { Transaction } from '../transaction.ts';

export const good = {
  id: 'good',
  stop: false,
  estimate: () => 1,
  run,
  commit,
} satisfies Step;

async function run({ site, record, target }: Transaction): Promise<string> {
  await assertSwapped(site, record);
  await settleInstaller(site, record.id);
  return `${target.manifest.version} is current`;
}

/** Records the release as good, and the database that was put aside. Ends the transaction, unless traffic is still to be opened. */
function commit({ site, record, plan, target }: Transaction): void {
  const { state } = site;
  const { manifest } = target;
  const before = state.deployment();
  // after a rollback with data that the operator restored, the data has the schema of that release
  const ownData = plan.kind === 'rollback' && plan.unsavedData;
  const schemaKnown = ownData ? manifest.version : (before?.schemaRelease ?? null);
  state.updateDeployment({
    product: manifest.product,
    phase: 'good',
    schemaRelease: reachedAfter(before && { ...before, schemaRelease: schemaKnown }, manifest).schemaRelease,
  });
  // releases adopted without a bundle did not know their product; this release names it
  for (const release of state.releases())
    if (release.origin === 'adopted')
      state.putRelease({ ...release, manifest: { ...release.manifest, product: manifest.product } });
  keepAside(site, record.id);
  if (!hasStep(plan, 'traffic')) endGood({ site, record, target });
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
