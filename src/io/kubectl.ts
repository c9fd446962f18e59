import { AirdockError } from '../errors.ts';
import type { ExecOptions } from './compose.ts';
import type { Run, RunOptions, RunResult } from './process.ts';

/** An object of the API server; only the members that airdock uses are typed. */
export type KubeObject = {
  apiVersion?: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    labels?: Record<string, string> | undefined;
    annotations?: Record<string, string>;
  };
  [member: string]: unknown;
};

export type Pod = KubeObject & {
  metadata: { deletionTimestamp?: string; creationTimestamp?: string };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; message?: string }[];
    containerStatuses?: {
      name: string;
      image: string;
      state?: Record<string, { exitCode?: number; reason?: string; message?: string }>;
    }[];
  };
};

/** The API of the cluster, through the operator's kubectl, for one namespace. */
export interface Kubectl {
  readonly namespace: string;
  /** Context of the kubeconfig; undefined for the current one. */
  readonly context: string | undefined;
  /** Undefined when there is no object of that name. */
  get<T extends KubeObject>(kind: string, name: string): Promise<T | undefined>;
  list<T extends KubeObject>(kind: string, labels?: Readonly<Record<string, string>>): Promise<T[]>;
  /** @returns the created object. @throws LOCKED when an object of that name exists */
  create(object: KubeObject): Promise<KubeObject>;
  /** @returns the new object. @throws LOCKED when the object was changed since its `resourceVersion` was read */
  replace(object: KubeObject): Promise<KubeObject>;
  /** Deletes an object and waits until it is gone; with `owned`, also for its dependents (the pods of a Job). A missing one is no error. */
  remove(kind: string, name: string, options?: { owned: true }): Promise<void>;
  scale(kind: string, name: string, replicas: number): Promise<void>;
  /** The conflicts that this manager would get by applying the objects, as the API server reports them; undefined for none. Changes nothing. */
  conflicts(objects: readonly KubeObject[], manager: string): Promise<string | undefined>;
  /** Runs a program in a running container; its exit code is the result. */
  exec(pod: string, container: string, command: readonly string[], options?: ExecOptions): Promise<RunResult>;
  /** The last lines of the log; '' without any. */
  logs(pod: string, options?: { container?: string; tail?: number }): Promise<string>;
  /** GET of an API path, e.g. through the proxy of a Service. Undefined when the answer is an error. */
  raw(path: string): Promise<string | undefined>;
  /** Whether this user has a right, by `kubectl auth can-i`. */
  may(verb: string, resource: string): Promise<boolean>;
}

export type KubectlOptions = {
  run: Run;
  namespace: string;
  context?: string | undefined;
  /** The operator's whole environment: KUBECONFIG, and variables of credential plugins. */
  env: Readonly<Record<string, string>>;
};

/**
 * kubectl 1.35 hangs when a program ends before it has read its input (measured against 1.36): so this wrapper
 * reads the rest of the input. After a failure it reads only until nothing comes for a second, because a lost session keeps
 * its input open.
 */
const readsAll = [
  'sh',
  '-c',
  '"$@"; code=$?; if [ $code = 0 ]; then cat >/dev/null; else while timeout 1 head -c 1048576 | LC_ALL=C grep -qa .; do :; done; fi; exit $code',
  'sh',
];

export function openKubectl({ run, namespace, context, env }: KubectlOptions): Kubectl {
  const common = ['--namespace', namespace, ...(context === undefined ? [] : ['--context', context])];
  const call = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    run('kubectl', [...common, ...args], { maxOutput: 64 << 20, ...options, env: { ...env, ...options.env } });
  const must = async (action: string, args: readonly string[], options?: RunOptions): Promise<string> => {
    const result = await call(args, options);
    if (result.exitCode !== 0) throw clusterError(action, result);
    return result.stdout;
  };
  const write = async (verb: string, object: KubeObject): Promise<KubeObject> =>
    JSON.parse(
      await must(`${verb} ${object.kind} ${object.metadata.name}`, [verb, '-f', '-', '-o', 'json'], {
        input: Buffer.from(JSON.stringify(object)),
      }),
    ) as KubeObject;

  return {
    namespace,
    context,
    async get<T>(kind: string, name: string) {
      const stdout = await must(`get ${kind} ${name}`, ['get', kind, name, '--ignore-not-found', '-o', 'json']);
      return stdout.trim() === '' ? undefined : (JSON.parse(stdout) as T);
    },
    async list<T>(kind: string, labels: Readonly<Record<string, string>> = {}) {
      const selector = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
      const flags = selector.length > 0 ? ['-l', selector.join(',')] : [];
      return (JSON.parse(await must(`list ${kind}`, ['get', kind, ...flags, '-o', 'json'])) as { items: T[] }).items;
    },
    create: (object) => write('create', object),
    replace: (object) => write('replace', object),
    remove: async (kind, name, options) => {
      const flags = ['--ignore-not-found', '--wait', '--timeout', '120s', ...(options?.owned ? ['--cascade=foreground'] : [])];
      await must(`delete ${kind} ${name}`, ['delete', kind, name, ...flags]);
    },
    scale: async (kind, name, replicas) =>
      void (await must(`scale ${kind} ${name}`, ['scale', `${kind}/${name}`, `--replicas=${replicas}`])),
    async conflicts(objects, manager) {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      const flags = ['--server-side', '--dry-run=server', `--field-manager=${manager}`, '-o', 'name'];
      const { stderr } = await call(['apply', ...flags, '-f', '-'], { input: Buffer.from(JSON.stringify(list)) });
      const failures = [...stderr.matchAll(/Apply failed with \d+ conflicts?: ([^]*?)(?=\nPlease review|$)/g)];
      return failures.length === 0 ? undefined : failures.map(([, text = '']) => text.replaceAll(/\n(- )?/g, ' ')).join('; ');
    },
    exec(pod, container, command, { env: variables = {}, input, stdout, ...rest } = {}) {
      // kubectl has no flag for variables. None of them may be a secret, because other users can read arguments
      const prefix =
        Object.keys(variables).length === 0 ? [] : ['env', ...Object.entries(variables).map((pair) => pair.join('='))];
      const args = [
        'exec',
        pod,
        '-c',
        container,
        ...(input === undefined ? [] : ['-i']),
        '--',
        ...(input === undefined ? [] : readsAll),
        ...prefix,
        ...command,
      ];
      return call(args, { ...rest, input, onStdout: stdout });
    },
    async logs(pod, { container, tail = 50 } = {}) {
      const result = await call(['logs', pod, ...(container === undefined ? [] : ['-c', container]), `--tail=${tail}`]);
      return result.exitCode === 0 ? result.stdout : '';
    },
    async raw(path) {
      const result = await call(['get', '--raw', path], { timeoutMs: 10_000 });
      if (/\(Forbidden\)/.test(result.stderr)) throw clusterError(`get ${path}`, result);
      return result.exitCode === 0 ? result.stdout : undefined;
    },
    may: async (verb, resource) => (await call(['auth', 'can-i', verb, resource])).stdout.trim() === 'yes',
  };
}

/** The error of a failed kubectl or helm command; the code depends on what the operator does next. */
export function clusterError(what: string, { stderr, timedOut, exitCode }: RunResult): AirdockError {
  const output =
    stderr
      .trim()
      .replace(/^(Error|error): /gm, '')
      .slice(-1500) || (timedOut ? 'it took too long' : `exit code ${exitCode}`);
  const details = { said: output };
  if (/\(Forbidden\)|is forbidden|cannot \w+ resource/.test(stderr))
    return new AirdockError('CLUSTER_FORBIDDEN', `you may not ${what}: ${output}`, {
      hint: 'The operator’s book, section 14, has the required rights as a manifest. Ask the administrators of the cluster.',
      details,
    });
  if (/Conflict|AlreadyExists|already exists|the object has been modified/.test(stderr))
    return new AirdockError('LOCKED', `somebody else changed the object meanwhile (${what}): ${output}`, {
      hint: 'Wait until the other operation ends; airdock helm status shows who runs it.',
      details,
    });
  if (
    /Unable to connect|connection refused|was refused|no such host|i\/o timeout|Unauthorized|current-context|kubeconfig|no configuration/i.test(
      stderr,
    )
  )
    return new AirdockError('CLUSTER_UNREACHABLE', `the cluster cannot be reached (${what}): ${output}`, {
      hint: 'Try kubectl get nodes. KUBECONFIG and --kube-context say which cluster is meant.',
      details,
    });
  return new AirdockError('STEP_FAILED', `could not ${what}: ${output}`, { details });
}
