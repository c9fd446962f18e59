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

/** What every `airdock helm` command asks for. */
export type ClusterFlags = { release: string; namespace: string; kubeContext?: string; backupDir: string };

export function addClusterOptions(command: Command): Command {
  return command
    .requiredOption('--release <name>', 'helm’s name of it')
    .option('-n, --namespace <name>', 'its namespace', 'default')
    .option('--kube-context <name>', 'of the kubeconfig (default: the current one)')
    .option('--backup-dir <directory>', 'where dumps lie on this machine', 'airdock-backups');
}

export async function clusterSite(context: CliContext, flags: ClusterFlags): Promise<KubernetesRelease> {
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

/** The chart's archive as a file for helm, gone again afterwards. @throws CHART_INVALID when the release has none */
export async function withChart<T>({ manifest, files }: OpenBundle, work: (path: string) => Promise<T>): Promise<T> {
  const record = manifest.files.find(({ role }) => role === 'chart');
  const bytes = record && files.get(record.path);
  if (!record || !bytes)
    throw new AirdockError('CHART_INVALID', `${manifest.product} ${manifest.version} has no chart`, {
      hint: 'Its bundle is for VMs alone: airdock install.',
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
