import { join } from 'node:path';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { mkdir, writeFile } from 'node:fs/promises';
import nodepad from '../../bundle.config.ts';
import { databasePlace, withDatabase } from '../../src/kubernetes/database/access.ts';
import type { ClusterFacts } from '../../src/kubernetes/plan/facts.ts';
import type { RecordStore } from '../../src/kubernetes/record/record.ts';
import type { KubernetesRelease } from '../../src/kubernetes/record/site.ts';
import type { Running } from '../../src/kubernetes/record/transaction.ts';
import type { UpgradeOptions } from '../../src/kubernetes/plan/upgrade-options.ts';
import { changeDatabase, rehearse } from '../../src/kubernetes/steps/upgrade.ts';
import { chartObjects } from '../../src/kubernetes/pods/workloads.ts';
import { BackupWriter } from '../../src/data/postgres/backup/backup-writer.ts';
import { noKeys } from '../../src/data/postgres/backup/sealed.ts';
import type { HelmReleases } from '../../src/io/helm-releases.ts';
import type { KubeObject, Kubectl } from '../../src/io/kubectl.ts';
import { makeRelease, temporaryFolder } from './bundle.ts';

/** A cluster that is well, does at once what it is asked, and keeps what was created in it. */
class WillingCluster {
  readonly created: KubeObject[] = [];
  readonly #secret: Record<string, string>;

  constructor(secret: Record<string, string>) {
    this.#secret = secret;
  }

  kubectl(): Kubectl {
    const well = {
      phase: 'Succeeded',
      podIP: '10.0.0.9',
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    return {
      namespace: 'prod',
      context: undefined,
      get: async <T>(kind: string, name: string) =>
        ({ kind, metadata: { name }, spec: { replicas: 1 }, status: well, data: this.#secret }) as T,
      // writers are gone as soon as they are asked to go
      list: async <T>(kind: string, labels?: Readonly<Record<string, string>>) =>
        labels?.['app.kubernetes.io/component'] === 'postgresql' ? [{ kind, metadata: { name: 'db-0' }, status: well } as T] : [],
      create: async (object) => {
        this.created.push(object);
        return object;
      },
      replace: async (object) => object,
      remove: async () => {},
      scale: async () => {},
      logs: async () => '',
      raw: async () => '{}',
      may: async () => true,
      conflicts: async () => undefined,
      exec: async (_pod, _container, _command, { input, stdout } = {}) => {
        if (input instanceof Readable) input.resume();
        // fingerprints are of a database that holds nothing
        if (stdout) await finished(stdout.end('["objects",0,null,null,null,null]\n["end"]\n'));
        const asksForDatabases = Buffer.isBuffer(input) && input.includes('FROM pg_database;');
        return { exitCode: 0, stdout: asksForDatabases ? '1|nodepad\n2|airdock_1_next\n' : '', stderr: '' };
      },
    };
  }
}

/**
 * All that `airdock helm upgrade` makes on a cluster across an irreversible migration, from the rehearsal to the trial, by its own
 * functions. @param manifests of NodePad's chart; @param url of a database elsewhere
 */
export async function madeByAirdock(release: string, manifests: string, url?: string): Promise<KubeObject[]> {
  await using folder = await temporaryFolder();
  const secret = url === undefined ? {} : { NODEPAD_DATABASE_URL: Buffer.from(url).toString('base64') };
  const cluster = new WillingCluster(secret);
  const site: KubernetesRelease = {
    release,
    kubectl: cluster.kubectl(),
    helm: {} as HelmReleases,
    records: { write: async () => {} } as unknown as RecordStore,
    backupDirectory: folder.path,
    keys: noKeys,
    host: {
      clock: () => new Date(),
      operator: 'root',
      listener: () => {},
      runs: async () => false,
      patience: { forMs: 0, everyMs: 1 },
      signal: new AbortController().signal,
    },
  };
  const { database, writers, traffic, rehearsal } = nodepad;
  const { manifest } = makeRelease({ version: '0.4.0', manifest: { database, writers, traffic, rehearsal } });
  const objects = chartObjects(manifests);
  const place = await databasePlace(site, manifest, objects);
  const facts = { from: '0.3.2', pathClass: 'irreversible', running: objects, target: objects } as unknown as ClusterFacts;
  const options = { bundle: { manifest }, timeoutSeconds: 60 } as unknown as UpgradeOptions;
  const running = { record: { transactions: [] }, transaction: { id: 1, undo: null } } as unknown as Running;
  await writeBackup(folder.file('b'));
  await withDatabase(site, place, 'postgres:15', async (live) => {
    if (!live) throw new Error('the release has no database');
    await rehearse(site, options, facts, live, 'b');
    await changeDatabase(site, options, facts, live, running);
  });
  return cluster.created;
}

/** Of a database that holds nothing. */
async function writeBackup(folder: string): Promise<void> {
  await mkdir(folder);
  const files = new BackupWriter(folder, noKeys);
  const fingerprint = {
    schema: 'airdock.fingerprint/1',
    tables: {},
    sequences: {},
    largeObjects: { count: 0, content: '0 0', rights: '0 0' },
    objects: {},
    invalidIndexes: [],
  };
  const metadata = {
    schema: 'airdock.backup/1',
    id: 'b',
    createdAt: '2026-11-27T02:14:00Z',
    database: 'nodepad',
    user: 'nodepad',
    service: 'db',
    serverVersion: '15.8',
    dump: await files.text('dump', ''),
    fingerprint: await files.text('fingerprint.json', JSON.stringify(fingerprint)),
    roles: { ...(await files.text('roles.sql', '')), passwords: true },
    settings: await files.text('settings.sql', ''),
    readBack: true,
    proven: false,
    seconds: 1,
  };
  await writeFile(join(folder, 'metadata.json'), JSON.stringify(metadata));
}
