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

/** The release is current for good, what was put aside is on record; done, unless traffic is still to be opened. */
function commit({ site, record, plan, target }: Transaction): void {
  const { state } = site;
  const { manifest } = target;
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
