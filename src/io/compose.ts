import type { Readable, Writable } from 'node:stream';
import { AirdockError, type ErrorCode, isAirdockError } from '../errors.ts';
import type { ComposeModel } from './compose-model.ts';
import type { Run, RunOptions, RunResult } from './process.ts';

export type * from './compose-model.ts';

export type ComposeOptions = {
  run: Run;
  /** Docker endpoint, from `resolveEndpoint`. */
  endpoint: string;
  project: string;
  /** The directory of the deployment, to which paths in the files are relative. */
  directory: string;
  /** All compose files, in order; COMPOSE_FILE and default file names are not used. */
  files: readonly string[];
  envFile: string;
  /** Variables for compose itself, besides the clean environment. Recovery uses them to find its processes. */
  environment?: Record<string, string>;
  /** Profiles besides COMPOSE_PROFILES of the env file. */
  profiles?: readonly string[] | undefined;
};

export type OneShotOptions = {
  labels?: Record<string, string> | undefined;
  /**
   * Passed as `-e KEY`, with the values in the environment of compose, so they never show in a process list. They also
   * override `.env` in the interpolation of the compose file: do not use names that it interpolates.
   */
  env?: Record<string, string> | undefined;
  /** Container name; compose generates one otherwise. */
  name?: string | undefined;
  onLine?: ((line: string) => void) | undefined;
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
};

export type ExecOptions = {
  env?: Record<string, string> | undefined;
  input?: Buffer | Readable | undefined;
  /** Receives stdout as bytes. */
  stdout?: Writable | undefined;
  user?: string | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
};

/** `docker compose` for one project. Methods throw when compose fails, except `run` and `exec`: their exit code is the result. */
export interface Compose {
  readonly project: string;
  readonly directory: string;
  readonly files: readonly string[];
  /** `2.40.3` @throws COMPOSE_UNAVAILABLE */
  version(): Promise<string>;
  /** Services of active profiles. @throws COMPOSE_INVALID */
  config(): Promise<ComposeModel>;
  /** Service -> the `com.docker.compose.config-hash` that its containers would get. @throws COMPOSE_INVALID */
  hashes(): Promise<Map<string, string>>;
  /** `up -d --pull never`, never `--remove-orphans`; all services when none is named. @throws UP_FAILED */
  up(services?: readonly string[], options?: UpOptions): Promise<void>;
  /** `run --rm -T --no-deps`: a one-shot container. With dependencies it would recreate a database (docs/FACTS.md "One-shot containers"). */
  run(service: string, command: readonly string[], options?: OneShotOptions): Promise<RunResult>;
  /** `exec -T`. After SIGKILL of airdock the process in the container keeps running. */
  exec(service: string, command: readonly string[], options?: ExecOptions): Promise<RunResult>;
  /** `rm -sf`: containers that are only stopped would start again with the engine. @throws STEP_FAILED */
  remove(services: readonly string[]): Promise<void>;
  /** @throws STEP_FAILED */
  stop(services: readonly string[]): Promise<void>;
}

export type UpOptions = {
  noDeps?: boolean | undefined;
  noRecreate?: boolean | undefined;
  /** `--scale SERVICE=COUNT` */
  scale?: Readonly<Record<string, number>>;
  signal?: AbortSignal | undefined;
  onLine?: ((line: string) => void) | undefined;
};

export function openCompose(options: ComposeOptions): Compose {
  const { project, directory, files } = options;
  const common = [
    'compose',
    '--project-name',
    project,
    '--project-directory',
    directory,
    '--env-file',
    options.envFile,
    ...files.flatMap((file) => ['--file', file]),
    ...(options.profiles ?? []).flatMap((profile) => ['--profile', profile]),
    '--ansi',
    'never',
    '--progress',
    'plain',
  ];
  const compose = (args: readonly string[], { env = {}, ...rest }: RunOptions = {}) =>
    // COMPOSE_REMOVE_ORPHANS=1 in a .env makes compose 2.40 remove containers of others; the environment overrides it.
    options.run('docker', [...common, ...args], {
      // Every path is absolute, and a plan is made before the directory exists.
      cwd: '/',
      ...rest,
      env: { ...options.environment, ...env, DOCKER_HOST: options.endpoint, COMPOSE_REMOVE_ORPHANS: 'false' },
    });
  const must = async (code: ErrorCode, what: string, args: readonly string[], rest?: RunOptions) => {
    const result = await compose(args, rest);
    if (result.exitCode !== 0) throw composeFailed(code, what, result);
    return result.stdout;
  };

  return {
    project,
    directory,
    files,
    async version() {
      const answer = await options.run('docker', ['compose', 'version', '--short']).catch((error: unknown) => {
        throw isAirdockError(error, 'PREFLIGHT_FAILED') ? unavailable(error) : error;
      });
      const version = answer.stdout.trim().replace(/^v/, '');
      if (answer.exitCode !== 0 || !/^\d+\./.test(version)) throw unavailable(answer.stderr);
      return version;
    },
    async config() {
      return JSON.parse(await must('COMPOSE_INVALID', 'read the compose files', ['config', '--format', 'json'])) as ComposeModel;
    },
    async hashes() {
      const text = await must('COMPOSE_INVALID', 'read the compose files', ['config', '--hash', '*']);
      const pairs = text.split('\n').map((line) => line.trim().split(/\s+/));
      return new Map(pairs.flatMap(([service, hash]) => (service && hash ? [[service, hash] as const] : [])));
    },
    async up(services = [], { noDeps, noRecreate, scale = {}, signal, onLine } = {}) {
      const flags = [
        ...(noDeps ? ['--no-deps'] : []),
        ...(noRecreate ? ['--no-recreate'] : []),
        ...Object.entries(scale).flatMap(([service, count]) => ['--scale', `${service}=${count}`]),
      ];
      await must('UP_FAILED', 'start the containers', ['up', '--detach', '--pull', 'never', ...flags, '--', ...services], {
        signal,
        onLine,
      });
    },
    run(service, command, { labels = {}, env = {}, name, ...rest } = {}) {
      const flags = [
        ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...Object.keys(env).flatMap((key) => ['--env', key]),
        ...(name === undefined ? [] : ['--name', name]),
      ];
      return compose(['run', '--rm', '-T', '--no-deps', ...flags, '--', service, ...command], { env, ...rest });
    },
    exec(service, command, { env = {}, user, stdout, ...rest } = {}) {
      const flags = [...Object.keys(env).flatMap((key) => ['--env', key]), ...(user === undefined ? [] : ['--user', user])];
      return compose(['exec', '-T', ...flags, '--', service, ...command], { env, ...rest, onStdout: stdout });
    },
    async remove(services) {
      if (services.length === 0) return;
      await must('STEP_FAILED', `remove the containers of ${services.join(', ')}`, [
        'rm',
        '--stop',
        '--force',
        '--',
        ...services,
      ]);
    },
    async stop(services) {
      if (services.length === 0) return;
      await must('STEP_FAILED', `stop ${services.join(', ')}`, ['stop', '--', ...services]);
    },
  };
}

/** The error of a failed compose command, with compose's message without progress lines. Also for callers of `run` and `exec`. */
export function composeFailed(code: ErrorCode, what: string, result: RunResult): AirdockError {
  if (/is not a docker command|unknown (shorthand )?flag: .*(project-name|ansi|progress)/.test(result.stderr)) {
    return unavailable(result.stderr);
  }
  const said = composeSaid(result.stderr);
  if (/Cannot connect to the Docker daemon|error during connect/.test(said)) {
    return new AirdockError('ENGINE_UNREACHABLE', `docker compose could not ${what}: ${said}`, {
      hint: 'Check that Docker Engine is running: systemctl status docker',
    });
  }
  const how = result.timedOut ? 'it took too long' : said || `exit code ${result.exitCode}${result.signalName ?? ''}`;
  return new AirdockError(code, `docker compose could not ${what}: ${how}`);
}

/** The last lines of compose's stderr, without progress and warnings. */
export function composeSaid(stderr: string): string {
  const progress = /^\s*(Container|Network|Volume|Image|Service) \S+\s+(?!.*[Ee]rror)\w+\s*$|level=warning|^\s*$/;
  const lines = stderr.split(/\r?\n/).filter((line) => !progress.test(line));
  return lines.slice(-6).join('\n').trim().slice(-1500);
}

function unavailable(cause: unknown): AirdockError {
  return new AirdockError('COMPOSE_UNAVAILABLE', 'the docker compose plugin is not installed', {
    hint: 'Install Docker Compose 2 as a plugin of the docker command. Check with: docker compose version',
    cause,
  });
}
