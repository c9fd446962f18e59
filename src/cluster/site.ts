import type { BackupKeys } from '../database/sealed.ts';
import type { Listener } from '../events.ts';
import type { HelmReleases } from '../io/helm-releases.ts';
import type { Kubectl } from '../io/kubectl.ts';
import type { RecordStore } from './record.ts';

/** A Helm release in a namespace, with what works on it. */
export type ClusterSite = {
  release: string;
  kubectl: Kubectl;
  helm: HelmReleases;
  records: RecordStore;
  /** `--backup-dir`: dumps lie on this machine. */
  backupDirectory: string;
  keys: BackupKeys;
  host: {
    clock: () => Date;
    /** Who, and on which machine: others see it in the cluster. */
    operator: string;
    listener: Listener;
    signal: AbortSignal;
  };
};

/** UTC, whole seconds. */
export function now({ host }: ClusterSite): string {
  return `${host.clock().toISOString().slice(0, 19)}Z`;
}

/** Of pods that have to reach what the release's own pods reach: a NetworkPolicy of the chart may let them by it. */
export function insideLabels({ release }: ClusterSite): Record<string, string> {
  return { 'airdock.dev/release': release };
}
