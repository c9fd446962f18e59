import type { BackupKeys } from '../../data/postgres/backup/sealed.ts';
import type { Listener } from '../../events.ts';
import type { HelmReleases } from '../../io/helm-releases.ts';
import type { Kubectl } from '../../io/kubectl.ts';
import type { Commands } from '../../policy/upgrade-path.ts';
import type { RecordStore } from './record.ts';

/** A Helm release in a namespace, with the tools that work on it. */
export type KubernetesRelease = {
  release: string;
  kubectl: Kubectl;
  helm: HelmReleases;
  records: RecordStore;
  /** `--backup-dir`: the folder for backups on this machine. */
  backupDirectory: string;
  keys: BackupKeys;
  host: {
    clock: () => Date;
    /** The user and the machine, as others see them in the record. */
    operator: string;
    /** Whether a process of this machine is another airdock that runs. */
    runs: (pid: number) => Promise<boolean>;
    listener: Listener;
    signal: AbortSignal;
    /** How long, and how often, an undo or the end of a transaction is tried again while the cluster does not answer. */
    patience: { forMs: number; everyMs: number };
  };
};

/** The flags that an airdock command for this release needs, for command lines in messages. */
export function flagsOf({ release, kubectl: { namespace, context } }: Named): string {
  return `--release ${release} -n ${namespace}${context === undefined ? '' : ` --kube-context ${context}`}`;
}

/** The commands that messages name, for this release. */
export function commandsOf(site: Named): Commands {
  return {
    place: site.release,
    anotherPlace: 'Name another release.',
    install: 'airdock helm upgrade',
    rollback: (version, flag) => `airdock helm rollback ${version}${flag === undefined ? '' : ` ${flag}`} ${flagsOf(site)}`,
  };
}

type Named = { release: string; kubectl: Pick<Kubectl, 'namespace'> & Partial<Pick<Kubectl, 'context'>> };

/** The flags that a kubectl command for this release needs. */
export function kubectlFlags({ kubectl: { namespace, context } }: Pick<Named, 'kubectl'>): string {
  return `-n ${namespace}${context === undefined ? '' : ` --context ${context}`}`;
}

/** The current time: UTC, whole seconds. */
export function now({ host }: KubernetesRelease): string {
  return `${host.clock().toISOString().slice(0, 19)}Z`;
}

/** Labels of pods that must reach what the release's own pods reach. A NetworkPolicy of the chart may select pods by them. */
export function insideLabels({ release }: KubernetesRelease): Record<string, string> {
  return { 'airdock.dev/release': release };
}
