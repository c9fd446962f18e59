import type { BackupKeys } from '../../data/postgres/backup/sealed.ts';
import type { Listener } from '../../events.ts';
import type { HelmReleases } from '../../io/helm-releases.ts';
import type { Kubectl } from '../../io/kubectl.ts';
import type { Commands } from '../../policy/upgrade-path.ts';
import type { RecordStore } from './record.ts';

/** A Helm release in a namespace, with what works on it. */
export type KubernetesRelease = {
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
    /** Whether that process of this machine is an airdock that runs, and is not this one. */
    runs: (pid: number) => Promise<boolean>;
    listener: Listener;
    signal: AbortSignal;
    /** How long what must be done (an undo, the end of a transaction) is tried again while the cluster does not answer. */
    patience: { forMs: number; everyMs: number };
  };
};

/** What every command line for this release has, for those that a person is to run. */
export function flagsOf({ release, kubectl: { namespace, context } }: Named): string {
  return `--release ${release} -n ${namespace}${context === undefined ? '' : ` --kube-context ${context}`}`;
}

/** How an operator says it here. */
export function commandsOf(site: Named): Commands {
  return {
    place: site.release,
    anotherPlace: 'Name another release.',
    install: 'airdock helm upgrade',
    rollback: (version, flag) => `airdock helm rollback ${version}${flag === undefined ? '' : ` ${flag}`} ${flagsOf(site)}`,
  };
}

type Named = { release: string; kubectl: Pick<Kubectl, 'namespace'> & Partial<Pick<Kubectl, 'context'>> };

/** Of kubectl, for the same. */
export function kubectlFlags({ kubectl: { namespace, context } }: Pick<Named, 'kubectl'>): string {
  return `-n ${namespace}${context === undefined ? '' : ` --context ${context}`}`;
}

/** UTC, whole seconds. */
export function now({ host }: KubernetesRelease): string {
  return `${host.clock().toISOString().slice(0, 19)}Z`;
}

/** Of pods that have to reach what the release's own pods reach: a NetworkPolicy of the chart may let them by it. */
export function insideLabels({ release }: KubernetesRelease): Record<string, string> {
  return { 'airdock.dev/release': release };
}
