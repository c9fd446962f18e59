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
  /** The operator backs the data up, where airdock does not. */
  dataIsSavedElsewhere: boolean;
  /** Fields that others set are taken over; else such an upgrade is refused before anything is done. */
  forceConflicts: boolean;
  /** The GitOps controller that owns it is, says the operator. */
  ownerSuspended: boolean;
  /** Puts the release into the registry. */
  push: (() => Promise<string>) | undefined;
  /** Shows the plan and asks. @throws CONSENT_NEEDED */
  consent: (plan: HelmPlan) => Promise<void>;
};

/** The image of the database's service, where it is pulled from here. */
export function databaseImage({ bundle: { manifest }, registry }: UpgradeOptions): string | null {
  const { database, images } = manifest;
  if (database === 'none' || database.service === undefined) return null;
  const image = images.findIndex(({ usedBy }) => usedBy.includes(`compose ${database.service}`));
  if (registry === undefined) return images[image]?.reference ?? null;
  return imageTargets(parseTarget(registry), manifest)[image]?.target.canonical ?? null;
}
