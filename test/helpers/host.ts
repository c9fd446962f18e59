// A host for a test: an engine of its own in a network namespace without a way
// out. The work is done by scripts/engine; this gives it types.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { execa } from 'execa';

export type HostOptions = {
  /** a-z, 0-9 and -, unique on the machine: a host of that name that a broken run left behind is thrown away. */
  name: string;
  engine?: '20.10' | '26.1' | '28.5';
  store?: 'classic' | 'containerd';
  compose?: '2.26' | '2.40';
  /** A snapshot, made by `snapshot()` or `scripts/engine snapshot`. */
  from?: string;
  /** In the machine's own network: a builder. */
  uplink?: boolean;
};

type ExecOptions = {
  input?: string | Uint8Array | Readable;
  env?: Record<string, string>;
  cwd?: string;
  signal?: AbortSignal;
};

/** `exitCode` of a process that a signal ended is 128 + the signal's number, as in a shell; 127: no such program. */
type ExecResult = { stdout: string; stderr: string; exitCode: number };

export type Host = {
  readonly name: string;
  /** DOCKER_HOST, DOCKER_CONFIG, CONTAINERD_ADDRESS, PATH, …: all that `exec` sets on top of the cleaned environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The engine's socket, for a client in this process (dockerode). */
  readonly socketPath: string;
  /** Runs a program on the host; stdin is empty unless given. Never throws for an exit code. */
  exec(command: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** stdout of `docker ARGS`; throws when it fails. */
  docker(...args: string[]): Promise<string>;
  /** stdout of `docker compose ARGS` in that directory; throws when it fails. */
  compose(directory: string, ...args: string[]): Promise<string>;
  /** A GET from inside; status 0 when nothing answered. */
  curl(url: string): Promise<{ status: number; body: string }>;
  /** The process itself, to be killed: its pid is the program's, in a process group of its own. */
  spawn(command: readonly string[], options?: SpawnOptions): ChildProcess;
  /** The engine stops politely and starts again, as after an upgrade of it. */
  restartEngine(): Promise<void>;
  /** A power cut: SIGKILL to the engine and all containers. The data stays; `start` is the reboot. */
  crash(): Promise<void>;
  start(): Promise<void>;
  snapshot(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  forget(name: string): Promise<void>;
  /** Throws the host away, data included. */
  stop(): Promise<void>;
};

const script = join(import.meta.dirname, '../../scripts/engine');

async function engine(...args: string[]): Promise<string> {
  const { stdout } = await execa(script, args, { stdin: 'ignore' });
  return stdout;
}

/** What a shell on that host would have: nothing of the test runner, of proxies, of other engines. */
function cleanEnvironment(): Record<string, string> {
  const foreign = /^(VITEST.*|NODE_.*|TEST|DEV|PROD|DOCKER_.*|COMPOSE_.*|(https?|all|no)_proxy|FORCE_COLOR|npm_.*)$/i;
  return Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined && !foreign.test(pair[0])),
  );
}

/** `scripts/test --engine VERSION`: what hosts run whose test names no engine; 28.5 with the containerd store, its default. */
function engineOfRun(): Partial<HostOptions> {
  const version = process.env['AIRDOCK_TEST_ENGINE'] as HostOptions['engine'];
  if (version === undefined) return {};
  return { engine: version, ...(version === '28.5' ? { store: 'containerd' } : {}) };
}

export async function startHost(wanted: HostOptions): Promise<Host> {
  const { name } = wanted;
  const options = wanted.engine === undefined ? { ...wanted, ...engineOfRun() } : wanted;
  await engine('down', name);
  const flags = (['engine', 'store', 'compose', 'from'] as const).flatMap((flag) => {
    const value = options[flag];
    return value === undefined ? [] : [`--${flag}`, value];
  });
  await engine('up', name, ...flags, ...(options.uplink ? ['--uplink'] : []));
  // KEY=VALUE, ended by NUL, as printed by env(1) on the host itself
  const env = Object.fromEntries(
    (await engine('exec', name, '--', 'env', '-0'))
      .split('\0')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const)
      .filter(([key]) => /^(DOCKER_HOST|DOCKER_CONFIG|CONTAINERD_\w+|PATH)$/.test(key)),
  );
  const inside = (command: readonly string[]): [string, string[]] =>
    options.uplink ? ['env', ['--', ...command]] : ['nsenter', [`--net=/var/run/netns/airdock-${name}`, '--', ...command]];
  const environment = (extra?: Record<string, string>) => ({ ...cleanEnvironment(), ...env, ...extra });

  const exec = async (command: readonly string[], { input, env: extra, cwd, signal }: ExecOptions = {}): Promise<ExecResult> => {
    const result = await execa(...inside(command), {
      reject: false,
      stripFinalNewline: false,
      extendEnv: false,
      env: environment(extra),
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { cancelSignal: signal }),
      ...(input === undefined
        ? { stdin: 'ignore' as const }
        : typeof input === 'string' || input instanceof Uint8Array
          ? { input }
          : { stdin: ['pipe' as const, input] }),
    });
    const bySignal = result.signal === undefined ? 127 : 128 + constants.signals[result.signal];
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode ?? bySignal };
  };

  const succeed = async (command: readonly string[], execOptions?: ExecOptions): Promise<string> => {
    const { exitCode, stdout, stderr } = await exec(command, execOptions);
    if (exitCode !== 0) throw new Error(`on host ${name}: ${command.join(' ')}: exit ${exitCode}\n${stderr}${stdout}`);
    return stdout;
  };

  return {
    name,
    env,
    socketPath: (env['DOCKER_HOST'] ?? '').replace(/^unix:\/\//, ''),
    exec,
    docker: (...args) => succeed(['docker', ...args]),
    compose: (directory, ...args) => succeed(['docker', 'compose', ...args], { cwd: directory }),
    curl: async (url) => {
      const { stdout } = await exec(['curl', '-s', '-m', '10', '-w', '\n%{http_code}', url]);
      const end = stdout.lastIndexOf('\n');
      return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, Math.max(end, 0)) };
    },
    spawn: (command, spawnOptions = {}) => {
      const [file, args] = inside(command);
      const extra = spawnOptions.env as Record<string, string> | undefined;
      return spawn(file, args, { detached: true, ...spawnOptions, env: environment(extra) });
    },
    restartEngine: async () => void (await engine('restart', name)),
    crash: async () => void (await engine('crash', name)),
    start: async () => void (await engine('up', name)),
    snapshot: async (snapshot) => void (await engine('snapshot', name, snapshot)),
    restore: async (snapshot) => void (await engine('restore', name, snapshot)),
    forget: async (snapshot) => void (await engine('forget', snapshot)),
    stop: async () => void (await engine('down', name)),
  };
}
