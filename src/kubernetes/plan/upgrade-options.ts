import type { OpenBundle } from '../../bundle/reader.ts';
import type { HelmPlan } from './plan.ts';
import { imageTargets, parseTarget } from '../../push/push-target.ts';

export type UpgradeOptions = {
  bundle: OpenBundle;
  /** The chart's archive, taken out of the bundle. */
  chart: string;
  values: readonly string[];
  set: Readonly<Record<string, string>>;
  registry: string | undefined;
  timeoutSeconds: number;
  rehearse: boolean;
  allowDowngrade: boolean;
  /** The operator says that the data is backed up, where airdock does not back it up. */
  dataIsSavedElsewhere: boolean;
  /** Takes over fields that others set. Without it, an upgrade that would meet such fields is refused before anything is done. */
  forceConflicts: boolean;
  /** The operator says that the GitOps controller that owns the workloads is suspended. */
  ownerSuspended: boolean;
  /** Puts the release into the registry. */
  push: (() => Promise<string>) | undefined;
  /** Shows the plan and asks. @throws CONSENT_NEEDED */
  consent: (plan: HelmPlan) => Promise<void>;
};

/** The image of the database's service, by the name by which this cluster pulls it; null where the release carries none. */
export function databaseImage({ bundle: { manifest }, registry }: UpgradeOptions): string | null {
  const { database, images } = manifest;
  if (database === 'none' || database.service === undefined) return null;
  const image = images.findIndex(({ usedBy }) => usedBy.includes(`compose ${database.service}`));
  if (registry === undefined) return images[image]?.reference ?? null;
  return imageTargets(parseTarget(registry), manifest)[image]?.target.canonical ?? null;
}
