import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ProgressEvent } from '../../src/events.ts';
import type { RunResult } from '../../src/io/process.ts';
import type { LiveDatabase } from '../../src/kubernetes/database/access.ts';
import type { KubernetesRelease } from '../../src/kubernetes/record/site.ts';
import type { Running } from '../../src/kubernetes/record/transaction.ts';
import { readEnv, type ManagedSite } from '../../src/vm/site/site.ts';
import { openJournal, type TransactionRecord } from '../../src/vm/state/journal.ts';
import { openState } from '../../src/vm/state/open-state.ts';
import { makeRelease, temporaryFolder } from './bundle.ts';
import type { ClusterTransaction } from '../../src/kubernetes/record/record.ts';
import { clusterRecord, openTransaction } from './cluster-records.ts';
import type { FakePostgres } from './fake-postgres.ts';

/**
 * The VM and the Kubernetes side in the middle of transaction 1, from 0.3.0 to 0.4.0, whose database `shop` is on a fake server:
 * for tables of cases of what both do to a database. No engine and no cluster answers.
 */

const at = '2026-11-27T18:00:00Z';
export const release = makeRelease({ version: '0.4.0' });

/** What a one-shot container of the release (VM), or its pod (Kubernetes), prints and ends with. */
export type OneShot = Pick<RunResult, 'exitCode' | 'stdout'>;

export type VmSide = { site: ManagedSite; record: TransactionRecord; events: ProgressEvent[] } & AsyncDisposable;

export async function vmSide(server: FakePostgres, oneShot?: OneShot, signal = new AbortController().signal): Promise<VmSide> {
  const folder = await temporaryFolder();
  const airdock = folder.file('.airdock');
  const env = 'POSTGRES_USER=app\nPOSTGRES_PASSWORD=x\nPOSTGRES_DB=shop\n';
  await mkdir(path.join(airdock, 'transactions/1/after'), { recursive: true, mode: 0o700 });
  for (const file of ['.env', '.airdock/transactions/1/after/.env']) await writeFile(folder.file(file), env);
  const state = openState(airdock, '1.0.0');
  state.createDeployment({ product: 'shop', project: 'shop', endpoint: '' });
  for (const version of ['0.3.0', '0.4.0'])
    state.putRelease({ version, origin: 'bundle', manifest: makeRelease({ version }).manifest, storedAt: at });
  state.updateDeployment({ current: '0.3.0', schemaRelease: '0.3.0' });
  const journal = openJournal(state, () => new Date(at));
  const record = journal.begin({
    kind: 'upgrade',
    from: '0.3.0',
    to: '0.4.0',
    class: 'irreversible',
    operator: 'ann',
    program: null,
  });
  const events: ProgressEvent[] = [];
  const compose = { exec: server.exec, up: async () => {}, run: async () => ({ stderr: '', ...oneShot }) };
  const site = {
    directory: folder.path,
    airdock,
    project: 'shop',
    host: { listener: (event: ProgressEvent) => void events.push(event), clock: () => new Date(at), signal },
    state,
    journal,
    compose: async () => compose,
    composeOf: () => compose,
  } as unknown as ManagedSite;
  if (!(await readEnv(site.directory))) throw new Error('the deployment has no .env');
  const close = async () => {
    state.close();
    await folder[Symbol.asyncDispose]();
  };
  return { site, record, events, [Symbol.asyncDispose]: close };
}

export type KubernetesSide = {
  site: KubernetesRelease;
  database: LiveDatabase;
  running: Running;
  events: ProgressEvent[];
  /** What was made in the cluster. */
  made: { kind: string; spec?: unknown }[];
};

export function kubernetesSide(
  server: FakePostgres,
  undo: Partial<NonNullable<ClusterTransaction['undo']>> | null = null,
  oneShot?: OneShot,
  signal = new AbortController().signal,
): KubernetesSide {
  const events: ProgressEvent[] = [];
  const made: KubernetesSide['made'] = [];
  const pod = {
    metadata: { name: 'one' },
    status: {
      phase: oneShot?.exitCode === 0 ? 'Succeeded' : 'Failed',
      podIP: '10.0.0.7',
      conditions: [{ type: 'Ready', status: String(oneShot === undefined).replace(/^t/, 'T') }],
      containerStatuses: [{ state: { terminated: { exitCode: oneShot?.exitCode } } }],
    },
  };
  const site = {
    release: 'shop',
    kubectl: {
      namespace: 'prod',
      list: async (_kind: string, labels: Record<string, string> = {}) => ('job-name' in labels ? [pod] : []),
      get: async (kind: string) => (kind === 'pod' ? pod : undefined),
      create: async (object: { kind: string }) => void made.push(object),
      remove: async () => {},
      logs: async () => oneShot?.stdout ?? '',
      exec: (_pod: string, container: string, ...rest: [readonly string[]]) => server.exec(container, ...rest),
    },
    records: { write: async () => {} },
    host: { clock: () => new Date(at), listener: (event: ProgressEvent) => void events.push(event), signal },
  } as unknown as KubernetesRelease;
  const transaction = openTransaction({
    class: 'irreversible',
    revisions: { before: 2, last: 2, after: null },
    undo: undo && { replicas: {}, live: null, next: null, aside: null, ...undo },
  });
  const place = { kind: 'pod' } as LiveDatabase['place'];
  const scratch = { image: 'postgres:15', spec: { containers: [] }, container: '' };
  const database = { tools: { exec: server.exec }, service: 'db', user: 'app', database: 'shop', place, scratch };
  return { site, database, running: { record: clusterRecord({ transactions: [transaction] }), transaction }, events, made };
}
