import { higherVersion } from '../plan.ts';
import type { Transaction } from '../transaction.ts';

/** One commit: the release is current for good, the highest version and the floor rise, the transaction is done. */
export function commitGood({ site, record, target }: Transaction): void {
  const { state, journal } = site;
  const { manifest } = target;
  state.commit(() => {
    const before = state.deployment();
    state.updateDeployment({
      product: manifest.product,
      phase: 'good',
      highestGood: higherVersion(before?.highestGood ?? null, manifest.version),
      securityFloor: floorAfter(before?.securityFloor ?? null, manifest.securityFloor),
      schemaRelease: higherVersion(before?.schemaRelease ?? null, manifest.version),
    });
    // what was adopted without a bundle did not know its product: this one says it
    for (const release of state.releases())
      if (release.origin === 'adopted')
        state.putRelease({ ...release, manifest: { ...release.manifest, product: manifest.product } });
    state.markGood(manifest.version, site.host.clock().toISOString());
    journal.record(record.id, 'good', 'done');
    journal.end(record.id, 'done');
  });
}

function floorAfter(before: string | null, declared: string | undefined): string | null {
  return declared === undefined ? before : higherVersion(before, declared);
}
