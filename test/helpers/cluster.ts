// NodePad on a cluster, as an operator handles it: with the executable, helm and kubectl (CONTRIBUTING.md, "The cluster suite"). The
// cluster is that of KUBECONFIG, or stand-ins for helm and kubectl answer as it did when a recording was made.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { executable, parsed } from './airdock.ts';
import { makeNamespace, makeOutsideDatabase, makeUser, removeNamespace, type Owner } from './cluster-namespace.ts';
import { devFolder } from './dev-folder.ts';
import type { Asked } from './recording.ts';
import { startRegistry } from './registry.ts';
import { bundles } from './releases.ts';
import { runFolder, runName } from './run-folder.ts';
import { StandIn, type Kill, type Mode } from './stand-in.ts';
import { watchWhile, type Watched } from './watch.ts';

const fixtures = join(import.meta.dirname, '../fixtures');

/** As scripts/test says: a cluster is only touched when somebody asks for it. */
const mode = (process.env['AIRDOCK_CLUSTER'] ?? 'replay') as Mode;

export type Answer = { exitCode: number; json: Record<string, unknown>; stdout: string; stderr: string };
export type Kind = { helm: '3' | '4'; database: 'bundled' | 'external' };

export class Cluster {
  readonly namespace: string;
  readonly folder: string;
  /** HOST:PORT/PATH that releases are pushed to. */
  readonly registry: string;
  readonly #standIn: StandIn;
  readonly #env: Record<string, string>;
  /** The real kubectl, for what is no part of the flow. */
  readonly #owner: Owner;
  readonly #stopRegistry: () => Promise<void>;
  /** The pod with the database. */
  readonly #db: string;
  /** KUBECONFIG of who runs airdock. */
  #operator = '';

  private constructor(
    standIn: StandIn,
    { database }: Kind,
    { owner, registry, stopRegistry }: { owner: Owner; registry: string; stopRegistry: () => Promise<void> },
  ) {
    this.namespace = owner.namespace;
    this.folder = owner.folder;
    this.registry = registry;
    this.#owner = owner;
    this.#standIn = standIn;
    this.#stopRegistry = stopRegistry;
    this.#db = database === 'bundled' ? 'nodepad-postgresql-0' : 'outside';
    this.#env = {
      PATH: `${join(owner.folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      ...(mode === 'replay' ? { NODE_OPTIONS: `--require=${join(import.meta.dirname, 'quick-clock.cjs')}` } : {}),
    };
  }

  /** A namespace of its own, empty, with what `makeNamespace` makes. Its name is that of the recording, too. */
  static async fresh(namespace: string, kind: Kind): Promise<Cluster> {
    const folder = runFolder('cluster', namespace);
    const tools = { kubectl: devFolder('helm/kubectl'), helm: devFolder(`helm/${kind.helm}/helm`) };
    const owner = { namespace, folder, kubectl: tools.kubectl, env: {} };
    if (mode !== 'replay') await removeNamespace(owner);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const own = mode === 'replay' ? await startRegistry({ name: runName(namespace) }) : undefined;
    const address = own?.address ?? process.env['REGISTRY'] ?? '';
    const standIn = await StandIn.start({
      mode,
      folder: join(folder, 'bin'),
      tools,
      recording: join(fixtures, 'cluster', `${namespace}.jsonl`),
      words: { registry: address, folder },
    });
    const stopRegistry = async () => own?.stop();
    const cluster = new Cluster(standIn, kind, { owner, registry: `${address}/nodepad`, stopRegistry });
    const values = `publicUrl: http://nodepad.example\napi: { replicas: 2 }\npostgresql: { bundled: ${kind.database === 'bundled'} }\n`;
    await writeFile(join(folder, 'values.yaml'), values);
    if (mode !== 'replay') {
      await makeNamespace(owner, kind.database);
      cluster.#operator = await makeUser(owner, 'operator', join(import.meta.dirname, '../../docs/operator-role.yaml'));
      if (kind.database === 'external') {
        const releases = await bundles('0.2.4');
        const where = ['--registry', cluster.registry, '--plain-http', '--trust', releases.root];
        const push = ['push', releases.path('0.2.4'), ...where];
        await execa(await executable(), push, { stdin: 'ignore' });
        await makeOutsideDatabase(owner, `${cluster.registry}/library/postgres:15`);
      }
    }
    return cluster;
  }

  /** Runs `work` as somebody with that KUBECONFIG instead of the operator's: of whom only this cluster knows. */
  async as<T>(kubeconfig: (owner: Owner) => Promise<string>, work: () => Promise<T>): Promise<T> {
    const operator = this.#operator;
    if (mode !== 'replay') this.#operator = await kubeconfig(this.#owner);
    return work().finally(() => (this.#operator = operator));
  }

  /** Of the calls so far. */
  get problems(): readonly string[] {
    return this.#standIn.problems;
  }

  /** @throws where a recording was not followed to its end */
  async remove(): Promise<void> {
    await this.#stopRegistry();
    if (mode !== 'replay') await removeNamespace(this.#owner);
    await this.#standIn.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** `airdock helm …`, by an operator who may what docs/operator-role.yaml says. */
  async airdock(...args: string[]): Promise<Answer> {
    this.#standIn.scene();
    const result = await this.#run(await executable(), ['helm', ...args, ...this.#site(), '--json'], this.#asOperator());
    return { ...result, json: parsed(result.stdout) };
  }

  /** Ends the program when it makes that call: see `Kill`. */
  async killedAt(when: Kill['when'], who: Kill['who'], version: string, ...flags: string[]): Promise<void> {
    const args = ['helm', 'upgrade', ...(await this.#bundleArgs(version)), ...this.#site(), '--json', ...flags];
    const program = await executable();
    this.#standIn.scene();
    const ended = await this.#standIn.killing(when, who, async () =>
      execa(program, args, { env: this.#asOperator(), reject: false, stdin: 'ignore' }),
    );
    const gone = who === 'asked' ? ended.exitCode === 7 : ended.signal === 'SIGKILL';
    if (!gone) throw new Error(`it was not killed: ${ended.stderr}`);
  }

  async upgrade(version: string, ...flags: string[]): Promise<Answer> {
    return this.airdock('upgrade', ...(await this.#bundleArgs(version)), ...flags);
  }

  async prepare(version: string): Promise<Answer> {
    return this.airdock('prepare', ...(await this.#bundleArgs(version)));
  }

  /** As `upgrade`, with other values. */
  async upgradeWith(values: string, version: string, ...flags: string[]): Promise<Answer> {
    const file = join(this.folder, 'more-values.yaml');
    await writeFile(file, values);
    return this.upgrade(version, '-f', file, ...flags);
  }

  async #bundleArgs(version: string): Promise<string[]> {
    const releases = await bundles(version);
    const where = ['--registry', this.registry, '--plain-http', '-f', join(this.folder, 'values.yaml')];
    return [releases.path(version), '--trust', releases.root, ...where, '--yes'];
  }

  #site(): string[] {
    return ['--release', 'nodepad', '-n', this.namespace, '--backup-dir', join(this.folder, 'backups')];
  }

  #asOperator(): Record<string, string> {
    return { ...this.#env, ...(mode === 'replay' ? {} : { KUBECONFIG: this.#operator }) };
  }

  async kubectl(...args: string[]): Promise<string> {
    const result = await this.#run('kubectl', ['-n', this.namespace, ...args]);
    if (result.exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** The chart of a release, as whoever uses helm by hand has it. @returns its path */
  async chart(version: string): Promise<string> {
    const releases = await bundles(version);
    await execa('tar', ['-xf', releases.path(version), '-C', this.folder, `chart/nodepad-${version}.tgz`]);
    return join(this.folder, `chart/nodepad-${version}.tgz`);
  }

  /** Somebody else's helm, killed while it is at work. */
  async killedHelm(...args: string[]): Promise<void> {
    const isIt = ({ tool, args: [verb] }: Asked) => tool === 'helm' && verb === args[0];
    await this.#standIn.killing(isIt, 'both', async () => {
      const shell = ['-c', '"$@"', 'sh', 'helm', ...args, '-n', this.namespace];
      return execa('sh', shell, { env: this.#env, reject: false, stdin: 'ignore' });
    });
  }

  async helm(...args: string[]): Promise<string> {
    const result = await this.#run('helm', ['-n', this.namespace, ...args]);
    if (result.exitCode !== 0) throw new Error(`helm ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  async apply(object: Record<string, unknown>): Promise<void> {
    await execa('kubectl', ['-n', this.namespace, 'apply', '-f', '-'], { env: this.#env, input: JSON.stringify(object) });
  }

  /** Of the api: the version that answers through its Service, undefined when nobody does. */
  answering(): Promise<string | undefined> {
    return this.#answering('kubectl');
  }

  async #answering(kubectl: string): Promise<string | undefined> {
    const path = `/api/v1/namespaces/${this.namespace}/services/http:nodepad-api:http/proxy/api/health`;
    const result = await this.#run(kubectl, ['get', '--raw', path]);
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
    const input = await readFile(join(fixtures, 'nodepad/fingerprint.sql'));
    const exec = ['-n', this.namespace, 'exec', '-i', this.#db, '--', ...psql];
    return (await execa('kubectl', exec, { env: this.#env, input })).stdout;
  }

  /** `api 2 worker 1 …`: pods that are ready. */
  async replicas(): Promise<string> {
    const format = '{range .items[*]}{.metadata.name} {.status.readyReplicas}{"\\n"}{end}';
    return (await this.kubectl('get', 'deployments', '-o', `jsonpath=${format}`)).trim();
  }

  /** Names of the pods of the application. */
  async pods(): Promise<string[]> {
    const ours = 'app.kubernetes.io/version,app.kubernetes.io/component!=migrate';
    return (await this.kubectl('get', 'pods', '-l', ours, '-o', 'name')).trim().split('\n').toSorted();
  }

  /** Who answers while `work` goes on, asked around the recorder. Where there is no cluster nobody is asked. */
  async watch<T>(expected: readonly string[], work: () => Promise<T>): Promise<Watched<T>> {
    if (mode === 'replay') return { result: await work(), wrong: [], silent: 0 };
    return watchWhile(() => this.#answering(this.#owner.kubectl), expected, work);
  }

  async #run(command: string, args: readonly string[], env = this.#env): Promise<Omit<Answer, 'json'>> {
    const { exitCode = -1, stdout, stderr } = await execa(command, args, { env, reject: false, stdin: 'ignore' });
    return { exitCode, stdout, stderr };
  }
}
