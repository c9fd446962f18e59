// A namespace of a real cluster as who runs the cluster gives it to an operator: a Secret with the passwords, volumes, rights, and
// perhaps a PostgreSQL that is none of the release.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

export type Owner = {
  namespace: string;
  /** Of this cluster alone; volumes lie there, too. */
  folder: string;
  /** The real kubectl. */
  kubectl: string;
  env: Record<string, string>;
};

export async function makeNamespace(owner: Owner, database: 'bundled' | 'external'): Promise<void> {
  await kubectl(owner, 'create', 'namespace', owner.namespace);
  const url = 'postgresql://nodepad:cluster-password@outside:5432/nodepad';
  const login = database === 'bundled' ? 'POSTGRES_PASSWORD=cluster-password' : `NODEPAD_DATABASE_URL=${url}`;
  const secrets = ['NODEPAD_SECRET_KEY=cluster-secret', login];
  await kubectl(owner, 'create', 'secret', 'generic', 'nodepad', ...secrets.map((pair) => `--from-literal=${pair}`));
  await makeVolume(owner, 'data', '8Gi', 'data-nodepad-postgresql-0');
  await makeVolume(owner, 'redis', '1Gi', 'data-nodepad-redis-0');
}

/**
 * Somebody who may what a Role says (the only one in that file), in this namespace, and nothing else.
 * @returns their KUBECONFIG
 */
export async function makeUser(owner: Owner, account: string, role: string): Promise<string> {
  const made = await kubectl(owner, 'apply', '-f', role, '-o', 'jsonpath={.metadata.name}');
  await kubectl(owner, 'create', 'serviceaccount', account);
  const binding = [`--role=${made}`, `--serviceaccount=${owner.namespace}:${account}`];
  await kubectl(owner, 'create', 'rolebinding', account, ...binding);
  return kubeconfigOf(owner, account, await kubectl(owner, 'create', 'token', account, '--duration=6h'));
}

/** A KUBECONFIG with another login, and perhaps another address, than the suite's own. */
export async function kubeconfigOf(owner: Owner, account: string, token: string, server?: string): Promise<string> {
  const config = JSON.parse(await kubectl(owner, 'config', 'view', '--raw', '--minify', '-o', 'json')) as {
    users: unknown;
    contexts: { context: { user: string } }[];
    clusters: { cluster: { server: string } }[];
  };
  const [current] = config.contexts;
  const [cluster] = config.clusters;
  if (!current || !cluster) throw new Error('the KUBECONFIG has no current context');
  if (server !== undefined) cluster.cluster.server = server;
  config.users = [{ name: account, user: { token } }];
  current.context.user = account;
  const file = join(owner.folder, `${account}.kubeconfig`);
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

export async function removeNamespace(owner: Owner): Promise<void> {
  const { namespace } = owner;
  await kubectl(owner, 'delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=180s');
  await kubectl(owner, 'delete', 'pv', `${namespace}-data`, `${namespace}-redis`, '--ignore-not-found');
}

/** A server that no chart knows, named `outside`, from an image of the registry. */
export async function makeOutsideDatabase(owner: Owner, image: string): Promise<void> {
  const { namespace } = owner;
  const env = Object.entries({ POSTGRES_USER: 'nodepad', POSTGRES_DB: 'nodepad', POSTGRES_PASSWORD: 'cluster-password' });
  const probe = { exec: { command: ['pg_isready', '-h', '127.0.0.1', '-U', 'nodepad', '-d', 'nodepad'] }, periodSeconds: 1 };
  const container = { name: 'server', image, env: env.map(([name, value]) => ({ name, value })), readinessProbe: probe };
  const metadata = { name: 'outside', namespace, labels: { app: 'outside' } };
  await apply(owner, { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container] } });
  const spec = { selector: { app: 'outside' }, ports: [{ port: 5432 }] };
  await apply(owner, { apiVersion: 'v1', kind: 'Service', metadata, spec });
  await kubectl(owner, 'wait', 'pod/outside', '--for=condition=Ready', '--timeout=120s');
}

async function makeVolume(owner: Owner, name: string, storage: string, claim: string): Promise<void> {
  const { namespace, folder } = owner;
  const path = `${folder}/pv-${name}`;
  await mkdir(path, { recursive: true });
  const claimRef = { namespace, name: claim };
  await apply(owner, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${namespace}-${name}` },
    spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], hostPath: { path }, claimRef },
  });
}

async function apply(owner: Owner, object: Record<string, unknown>): Promise<void> {
  await execa(owner.kubectl, ['apply', '-f', '-'], { env: owner.env, input: JSON.stringify(object) });
}

async function kubectl({ kubectl: program, namespace, env }: Owner, ...args: string[]): Promise<string> {
  return (await execa(program, ['-n', namespace, ...args], { env, stdin: 'ignore' })).stdout;
}
