import { AirdockError } from '../errors.ts';
import { clusterError } from './kubectl.ts';
import type { Run, RunOptions, RunResult } from './process.ts';

/** `helm history -o json`: revisions, oldest first. */
export type Revision = {
  revision: number;
  /** `deployed`, `superseded`, `failed`, `pending-upgrade`, … */
  status: string;
  /** `nodepad-0.3.0` */
  chart: string;
  app_version: string;
  description: string;
  updated: string;
};

export type ChartRun = {
  release: string;
  /** Path of a chart archive. */
  chart: string;
  /** Values files. `set` becomes `--set-string`, which overrides them. */
  values: readonly string[];
  set: Readonly<Record<string, string>>;
  timeoutSeconds: number;
  /** Take over fields of other managers. Without server-side apply there is nothing to take over; helm 3 has no such flag. */
  forceConflicts: boolean;
  signal?: AbortSignal | undefined;
};

export type RollbackRun = Pick<ChartRun, 'timeoutSeconds'> & Partial<Pick<ChartRun, 'forceConflicts'>>;

/** The releases of one namespace, through the operator's helm 3 or 4. */
export interface HelmReleases {
  /** The revisions of a release, oldest first; empty when there is no such release. */
  history(release: string): Promise<Revision[]>;
  /** Whether helm applies the release server-side; never with helm 3. The answer is cached. */
  appliesServerSide(release: string): Promise<boolean>;
  /** The manifest of a release, without hooks. */
  manifest(release: string, revision?: number): Promise<string>;
  /** The hooks of a release. */
  hooks(release: string, revision: number): Promise<string>;
  /** `helm template`, with hooks. @throws CHART_INVALID with the message of helm */
  template(run: Omit<ChartRun, 'timeoutSeconds' | 'forceConflicts'>): Promise<string>;
  /** `upgrade --install --wait`. @throws the errors of `helmError` */
  upgrade(run: ChartRun): Promise<void>;
  /** `rollback --wait`: makes a new revision that equals an earlier one. */
  rollback(release: string, revision: number, options: RollbackRun): Promise<void>;
}

export type HelmOptions = { run: Run; namespace: string; context?: string | undefined; env: Readonly<Record<string, string>> };

export function openHelmReleases({ run, namespace, context, env }: HelmOptions): HelmReleases {
  const common = ['--namespace', namespace, ...(context === undefined ? [] : ['--kube-context', context])];
  const call = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    run('helm', [...args, ...common], { maxOutput: 64 << 20, ...options, env: { ...env } });
  const must = async (what: string, args: readonly string[], options?: RunOptions): Promise<string> => {
    const result = await call(args, options);
    if (result.exitCode !== 0) throw helmError(what, result);
    return result.stdout;
  };
  const valuesOf = ({ values, set }: Pick<ChartRun, 'values' | 'set'>): string[] => [
    ...values.flatMap((file) => ['--values', file]),
    ...Object.entries(set).flatMap(([key, value]) => ['--set-string', `${key}=${value}`]),
  ];
  const applied = new Map<string, Promise<boolean>>();
  const serverSide = (release: string): Promise<boolean> => {
    const known = applied.get(release) ?? asksServerSide(release);
    applied.set(release, known);
    return known;
  };
  async function asksServerSide(release: string): Promise<boolean> {
    const result = await call(['get', 'metadata', release, '-o', 'json']);
    if (result.exitCode !== 0 && /release: not found/.test(result.stderr)) return false;
    if (result.exitCode !== 0) throw helmError(`read what helm knows of ${release}`, result);
    return (JSON.parse(result.stdout) as { applyMethod?: string }).applyMethod === 'ssa';
  }
  const waiting = async (release: string, seconds: number, forced: boolean): Promise<string[]> => [
    '--wait',
    '--timeout',
    `${seconds}s`,
    ...(forced && (await serverSide(release)) ? ['--force-conflicts'] : []),
  ];
  const aborting = (signal: AbortSignal | undefined): RunOptions => (signal ? { signal } : {});

  return {
    async history(release) {
      const result = await call(['history', release, '--max', '256', '-o', 'json']);
      if (result.exitCode !== 0 && /release: not found/.test(result.stderr)) return [];
      if (result.exitCode !== 0) throw helmError(`ask for the history of ${release}`, result);
      return (JSON.parse(result.stdout) as Revision[]).toSorted((a, b) => a.revision - b.revision);
    },
    appliesServerSide: serverSide,
    manifest: (release, revision) =>
      must(`read the manifest of ${release}`, [
        'get',
        'manifest',
        release,
        ...(revision === undefined ? [] : ['--revision', String(revision)]),
      ]),
    hooks: (release, revision) => must(`read the hooks of ${release}`, ['get', 'hooks', release, '--revision', String(revision)]),
    async template({ release, chart, signal, ...rest }) {
      const result = await call(['template', release, chart, ...valuesOf(rest)], aborting(signal));
      if (result.exitCode === 0) return result.stdout;
      throw new AirdockError('CHART_INVALID', `the chart does not render with these values: ${errorOutput(result)}`, {
        hint: 'Correct the values; helm show values CHART lists and explains them.',
      });
    },
    upgrade: async ({ release, chart, timeoutSeconds, forceConflicts, signal, ...rest }) =>
      void (await must(
        `upgrade ${release}`,
        ['upgrade', '--install', release, chart, ...(await waiting(release, timeoutSeconds, forceConflicts)), ...valuesOf(rest)],
        aborting(signal),
      )),
    rollback: async (release, revision, { timeoutSeconds, forceConflicts = false }) =>
      void (await must(`roll ${release} back to revision ${revision}`, [
        'rollback',
        release,
        String(revision),
        ...(await waiting(release, timeoutSeconds, forceConflicts)),
      ])),
  };
}

const errorOutput = ({ stderr }: RunResult): string =>
  stderr
    .trim()
    .replace(/^Error: /gm, '')
    .slice(-1500);

/** The error of a failed helm command; the code depends on what the operator does next. */
export function helmError(what: string, result: RunResult): AirdockError {
  const output = errorOutput(result);
  const fail = (code: ConstructorParameters<typeof AirdockError>[0], text: string, hint: string): AirdockError =>
    new AirdockError(code, `${text}: ${output}`, { hint, details: { said: output } });
  if (/another operation .* is in progress/.test(output))
    return fail(
      'LOCKED',
      'helm holds this release locked',
      'Another helm is running, or one was killed: airdock helm status shows what to do.',
    );
  if (/conflict/i.test(output) && /field manager|Apply failed|\.spec\./.test(output))
    return fail(
      'FIELD_CONFLICT',
      'somebody else owns fields that the chart sets',
      'The message names the fields and their manager. Release the fields there (kubectl get … --show-managed-fields), or leave them out of the values.',
    );
  // `pre-upgrade hooks failed: …`; of a first install, `failed pre-install: …`
  const hook = /(pre|post)-\w+ hooks failed|failed (pre|post)-install|hooks? failed/.exec(output);
  if (hook)
    return new AirdockError('MIGRATION_FAILED', `a hook of the chart failed: ${output}`, {
      hint: 'The report has the last lines of its log.',
      // the pods are the new ones by then
      details: { said: output, rolled: hook.slice(1).includes('post') },
    });
  if (/timed out|deadline exceeded|not ready|context deadline/i.test(output))
    return fail(
      'UP_FAILED',
      'the new pods did not become ready in time',
      'kubectl get pods and kubectl describe pod show why; --timeout gives them more time.',
    );
  if (/release: not found/.test(output))
    return fail('NOT_A_DEPLOYMENT', 'helm knows no such release', 'helm list -A shows all releases and their namespaces.');
  return clusterError(what, result);
}
