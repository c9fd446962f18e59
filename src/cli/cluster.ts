import { hostname, tmpdir, userInfo } from 'node:os';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { OpenBundle } from '../bundle/reader.ts';
import { RecordStore } from '../kubernetes/record/record.ts';
import type { KubernetesRelease } from '../kubernetes/record/site.ts';
import { noKeys } from '../data/postgres/backup/sealed.ts';
import { AirdockError } from '../errors.ts';
import type { CliContext } from './context.ts';

/** The options that every `airdock helm` command has. */
export type ClusterFlags = { release: string; namespace: string; kubeContext?: string; backupDir: string };

export function addClusterOptions(command: Command): Command {
  return command
    .requiredOption('--release <name>', 'name of the Helm release')
    .option('-n, --namespace <name>', 'namespace of the Helm release', 'default')
    .option('--kube-context <name>', 'context of the kubeconfig (default: the current one)')
    .option('--backup-dir <directory>', 'directory on this machine for database dumps', 'airdock-backups');
}

export async function kubernetesRelease(context: CliContext, flags: ClusterFlags): Promise<KubernetesRelease> {
  const { run, openKubectl, openHelmReleases } = await context.io();
  const env = Object.fromEntries(
    Object.entries(context.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
  const options = { run, namespace: flags.namespace, context: flags.kubeContext, env };
  const kubectl = openKubectl(options);
  return {
    release: flags.release,
    kubectl,
    helm: openHelmReleases(options),
    records: new RecordStore(kubectl, flags.release),
    backupDirectory: resolve(context.cwd, flags.backupDir),
    keys: noKeys,
    host: {
      clock: context.now,
      operator: `${context.env['SUDO_USER'] ?? userInfo().username}@${hostname()}`,
      runs: isAirdock,
      listener: context.listener,
      signal: context.signal,
      patience: { forMs: 180_000, everyMs: 5000 },
    },
  };
}

async function isAirdock(pid: number): Promise<boolean> {
  if (pid === process.pid) return false;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes('airdock') && command.split('\0').includes('helm');
}

/**
 * Writes the chart archive of the bundle to a temporary file, calls `work` with the path and deletes the file.
 * @throws CHART_INVALID when the bundle has no chart
 */
export async function withChart<T>({ manifest, files }: OpenBundle, work: (path: string) => Promise<T>): Promise<T> {
  const record = manifest.files.find(({ role }) => role === 'chart');
  const bytes = record && files.get(record.path);
  if (!record || !bytes)
    throw new AirdockError('CHART_INVALID', `${manifest.product} ${manifest.version} has no chart`, {
      hint: 'The bundle is for VMs only: use airdock install.',
    });
  const folder = await mkdtemp(join(tmpdir(), 'airdock-helm-'));
  try {
    const path = join(folder, record.path.slice(record.path.lastIndexOf('/') + 1));
    await writeFile(path, bytes);
    return await work(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
