// NodePad on a real cluster: the one of KUBECONFIG (docs: CONTRIBUTING.md, "The cluster suite"). Everything is done by the
// executable, helm and kubectl, as an operator does it.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { documents } from '../../src/cli/documents/all.ts';
import { executable } from './airdock.ts';
import { devFolder } from './dev-folder.ts';
import { bundles } from './releases.ts';
import { runFolder } from './run-folder.ts';

const fixtures = join(import.meta.dirname, '../fixtures/nodepad');

export type Answer = { exitCode: number; json: Record<string, unknown>; stdout: string; stderr: string };

export class Cluster {
  readonly namespace: string;
  readonly folder: string;
  readonly registry: string;
  readonly #env: Record<string, string>;
  /** The pod with the database. */
  #db = 'nodepad-postgresql-0';

  private constructor(namespace: string, helm: string) {
    this.namespace = namespace;
    this.folder = runFolder('cluster', namespace);
    this.registry = `${process.env['REGISTRY'] ?? ''}/nodepad`;
    this.#env = { PATH: `${devFolder('helm')}/${helm}:${devFolder('helm')}:${process.env['PATH'] ?? ''}` };
  }

  /** A namespace of its own, empty, with the Secret, and volumes, or a PostgreSQL that is none of the release. */
  static async fresh(
    namespace: string,
    { helm, database }: { helm: '3' | '4'; database: 'bundled' | 'external' },
  ): Promise<Cluster> {
    const cluster = new Cluster(namespace, helm);
    await cluster.remove();
    await mkdir(cluster.folder, { recursive: true });
    await cluster.kubectl('create', 'namespace', namespace);
    const url = 'postgresql://nodepad:cluster-password@outside:5432/nodepad';
    const login = database === 'bundled' ? 'POSTGRES_PASSWORD=cluster-password' : `NODEPAD_DATABASE_URL=${url}`;
    const secrets = ['NODEPAD_SECRET_KEY=cluster-secret', login];
    await cluster.kubectl('create', 'secret', 'generic', 'nodepad', ...secrets.map((pair) => `--from-literal=${pair}`));
    for (const [name, size] of [
      ['data', '8Gi'],
      ['redis', '1Gi'],
    ] as const) {
      const path = `${cluster.folder}/pv-${name}`;
      await mkdir(path, { recursive: true });
      await cluster.apply({
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `${namespace}-${name}` },
        spec: {
          capacity: { storage: size },
          accessModes: ['ReadWriteOnce'],
          hostPath: { path },
          claimRef: {
            namespace,
            name: name === 'data' ? 'data-nodepad-postgresql-0' : 'data-nodepad-redis-0',
          },
        },
      });
    }
    const values = `publicUrl: http://nodepad.example\napi: { replicas: 2 }\npostgresql: { bundled: ${database === 'bundled'} }\n`;
    await writeFile(join(cluster.folder, 'values.yaml'), values);
    if (database === 'external') await cluster.#outside();
    return cluster;
  }

  /** A server that no chart knows. */
  async #outside(): Promise<void> {
    const releases = await bundles('0.2.4');
    const push = ['push', releases.path('0.2.4'), '--registry', this.registry, '--plain-http', '--trust', releases.root];
    const pushed = await this.#run(await executable(), push);
    if (pushed.exitCode !== 0) throw new Error(pushed.stderr);
    this.#db = 'outside';
    const { namespace } = this;
    const env = Object.entries({ POSTGRES_USER: 'nodepad', POSTGRES_DB: 'nodepad', POSTGRES_PASSWORD: 'cluster-password' });
    const probe = { exec: { command: ['pg_isready', '-h', '127.0.0.1', '-U', 'nodepad', '-d', 'nodepad'] }, periodSeconds: 1 };
    const container = {
      name: 'server',
      image: `${this.registry}/library/postgres:15`,
      env: env.map(([name, value]) => ({ name, value })),
      readinessProbe: probe,
    };
    const metadata = { name: 'outside', namespace, labels: { app: 'outside' } };
    await this.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container] } });
    await this.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app: 'outside' }, ports: [{ port: 5432 }] },
    });
    await this.kubectl('wait', 'pod/outside', '--for=condition=Ready', '--timeout=120s');
  }

  async remove(): Promise<void> {
    await this.#run('kubectl', ['delete', 'namespace', this.namespace, '--ignore-not-found', '--wait', '--timeout=180s']);
    await this.#run('kubectl', ['delete', 'pv', `${this.namespace}-data`, `${this.namespace}-redis`, '--ignore-not-found']);
    await rm(this.folder, { recursive: true, force: true });
  }

  async airdock(...args: string[]): Promise<Answer> {
    const flags = ['--release', 'nodepad', '-n', this.namespace, '--backup-dir', join(this.folder, 'backups'), '--json'];
    const result = await this.#run(await executable(), ['helm', ...args, ...flags]);
    const json = JSON.parse(result.stdout) as Record<string, unknown>;
    const name = /^airdock\.([a-z-]+)\/1$/.exec(String(json['schema']))?.[1] as keyof typeof documents;
    documents[name].parse(json);
    return { ...result, json };
  }

  /** Ends it with SIGKILL when that step has begun. */
  async killedAt(step: string, version: string, ...flags: string[]): Promise<void> {
    const releases = await bundles(version);
    const where = ['--registry', this.registry, '--plain-http', '-f', join(this.folder, 'values.yaml')];
    const site = ['--release', 'nodepad', '-n', this.namespace, '--backup-dir', join(this.folder, 'backups')];
    const args = ['helm', 'upgrade', releases.path(version), ...where, ...site, '--yes', '--json', ...flags];
    const running = execa(await executable(), args, { env: this.#env, reject: false, stdin: 'ignore', buffer: false });
    for await (const line of running.iterable({ from: 'stderr' }))
      if (line.includes(`"step-started","step":"${step}"`)) running.kill('SIGKILL');
    const { signal } = await running;
    if (signal !== 'SIGKILL') throw new Error(`it ended before it came to ${step}`);
  }

  upgrade(version: string, ...flags: string[]): Promise<Answer> {
    return this.#withBundle('upgrade', version, flags);
  }

  prepare(version: string): Promise<Answer> {
    return this.#withBundle('prepare', version, []);
  }

  async #withBundle(command: string, version: string, flags: readonly string[]): Promise<Answer> {
    const releases = await bundles(version);
    const where = ['--registry', this.registry, '--plain-http', '-f', join(this.folder, 'values.yaml')];
    return this.airdock(command, releases.path(version), '--trust', releases.root, ...where, '--yes', ...flags);
  }

  async kubectl(...args: string[]): Promise<string> {
    const result = await this.#run('kubectl', ['-n', this.namespace, ...args]);
    if (result.exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  async helm(...args: string[]): Promise<string> {
    const result = await this.#run('helm', ['-n', this.namespace, ...args]);
    if (result.exitCode !== 0) throw new Error(`helm ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  async apply(object: Record<string, unknown>): Promise<void> {
    await execa('kubectl', ['apply', '-f', '-'], { env: this.#env, input: JSON.stringify(object) });
  }

  /** Of the api: the version that answers through its Service, undefined when nobody does. */
  async answering(): Promise<string | undefined> {
    const path = `/api/v1/namespaces/${this.namespace}/services/http:nodepad-api:http/proxy/api/health`;
    const result = await this.#run('kubectl', ['get', '--raw', path]);
    return result.exitCode === 0 ? (JSON.parse(result.stdout) as { version: string }).version : undefined;
  }

  async seed(...flags: string[]): Promise<void> {
    await this.kubectl('exec', 'deploy/nodepad-api', '--', 'python3', 'manage.py', 'seed', ...flags);
  }

  async sql(statement: string, database = 'nodepad'): Promise<string> {
    const psql = ['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', 'nodepad', '-c', statement, database];
    return (await this.kubectl('exec', this.#db, '--', ...psql)).trim();
  }

  /** The same rows give the same lines, by SQL that shares no code with airdock. */
  async fingerprint(): Promise<string> {
    const columns = ['notes_columns=id, number, title, slug, body, created', 'members_columns=id, name'];
    const set = ['ON_ERROR_STOP=1', ...columns].flatMap((pair) => ['-v', pair]);
    const psql = ['psql', '-XqAt', ...set, '-U', 'nodepad', '-f', '-', 'nodepad'];
    const input = await readFile(join(fixtures, 'fingerprint.sql'));
    const { stdout } = await execa('kubectl', ['-n', this.namespace, 'exec', '-i', this.#db, '--', ...psql], {
      env: this.#env,
      input,
    });
    return stdout;
  }

  /** `api 2 worker 1 …`: pods that are ready. */
  async replicas(): Promise<string> {
    const format = '{range .items[*]}{.metadata.name} {.status.readyReplicas}{"\\n"}{end}';
    return (await this.kubectl('get', 'deployments', '-o', `jsonpath=${format}`)).trim();
  }

  /** Names of the pods of the application. */
  async pods(): Promise<string[]> {
    const names = await this.kubectl(
      'get',
      'pods',
      '-l',
      'app.kubernetes.io/version,app.kubernetes.io/component!=migrate',
      '-o',
      'name',
    );
    return names.trim().split('\n').toSorted();
  }

  /** Asks every 100 ms until it is ended: every answer that was not this version's, and how often nobody answered. */
  async watch<T>(
    expected: readonly string[],
    work: () => Promise<T>,
  ): Promise<{ result: T; asked: number; wrong: string[]; silent: number }> {
    const over = new AbortController();
    let [asked, silent] = [0, 0];
    const wrong: string[] = [];
    const watching = (async () => {
      for (; !over.signal.aborted; await sleep(100)) {
        const version = await this.answering();
        asked += 1;
        if (version === undefined) silent += 1;
        else if (!expected.includes(version)) wrong.push(version);
      }
    })();
    const result = await work().finally(() => over.abort());
    await watching;
    return { result, asked, wrong, silent };
  }

  async #run(command: string, args: readonly string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const { exitCode = -1, stdout, stderr } = await execa(command, args, { env: this.#env, reject: false, stdin: 'ignore' });
    return { exitCode, stdout, stderr };
  }
}
