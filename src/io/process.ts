import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { AirdockError, systemCode } from '../errors.ts';

export type RunOptions = {
  cwd?: string | undefined;
  /** On top of the clean environment (see `cleanEnvironment`). */
  env?: Record<string, string> | undefined;
  /** stdin; closed from the start when absent or `ignore`. */
  input?: Buffer | Readable | 'ignore' | undefined;
  /** Ends the child's whole process group; `run` then throws INTERRUPTED once the child is gone. */
  signal?: AbortSignal | undefined;
  /** Receives stdout as bytes (a dump); `stdout` of the result is then empty. The stream is ended and awaited with the child. */
  onStdout?: Writable | undefined;
  /** Called with each line of stdout and stderr. */
  onLine?: ((line: string) => void) | undefined;
  timeoutMs?: number | undefined;
  /** How many of the last characters of stdout and of stderr are kept; default: 8 Mi. */
  maxOutput?: number | undefined;
};

export type RunResult = {
  /** -1 when a signal ended the program. */
  exitCode: number;
  stdout: string;
  stderr: string;
  signalName?: string | undefined;
  /** `timeoutMs` ran out and the child was ended. */
  timedOut?: boolean;
};

/** Runs a program to its end. A nonzero exit code is a result, not an error; a missing program is an error. */
export type Run = (command: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>;

/** Variables that Docker's CLI and ssh need. No others are passed on, because compose prefers a shell's VERSION to `.env`. */
const inherited =
  /^(PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_\w+|XDG_\w+|SSH_AUTH_SOCK|DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS_VERIFY|TLS|API_VERSION))$/;

export function cleanEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((pair): pair is [string, string] => inherited.test(pair[0]) && pair[1] !== undefined),
  );
}

const killGrace = 10_000;

export const run: Run = async (command, args, options = {}) => {
  if (options.signal?.aborted) throw interrupted(command, options.signal);
  const kept = options.maxOutput ?? 8 * 2 ** 20;
  const child = execa(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...cleanEnvironment(process.env), ...options.env },
    extendEnv: false,
    // A separate session: ^C and the terminal's SIGHUP reach only airdock, which then decides.
    detached: true,
    reject: false,
    buffer: false,
    stripFinalNewline: false,
    stdout: 'pipe',
    stderr: 'pipe',
    ...stdin(options.input),
  });
  const kill = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch (error) {
      if (systemCode(error) !== 'ESRCH') throw error;
    }
  };
  let hardKill: NodeJS.Timeout | undefined;
  const stop = () => {
    kill('SIGTERM');
    hardKill ??= setTimeout(kill, killGrace, 'SIGKILL');
  };
  let timedOut = false;
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          stop();
        }, options.timeoutMs);
  options.signal?.addEventListener('abort', stop, { once: true });
  const stdout = new Tail(kept, options.onLine);
  const stderr = new Tail(kept, options.onLine);
  // A failing sink (a full disk) ends the child; the error of the sink is the one to report.
  const sinkFailed = pipeline(child.stdout, options.onStdout ?? stdout).then(
    () => undefined,
    (error: unknown) => {
      stop();
      return { error };
    },
  );
  try {
    const [result, failed] = await Promise.all([child, sinkFailed, pipeline(child.stderr, stderr)]);
    if (options.signal?.aborted) throw interrupted(command, options.signal);
    if (result.exitCode === undefined && result.signal === undefined) throw notStarted(command, options.cwd, result.cause);
    if (failed) throw failed.error;
    return {
      exitCode: result.exitCode ?? -1,
      stdout: stdout.text(),
      stderr: stderr.text(),
      signalName: result.signal,
      ...(timedOut ? { timedOut: true } : {}),
    };
  } finally {
    clearTimeout(timer);
    clearTimeout(hardKill);
    options.signal?.removeEventListener('abort', stop);
  }
};

function stdin(input: RunOptions['input']) {
  return input === undefined || input === 'ignore' ? { stdin: 'ignore' as const } : { input };
}

function interrupted(command: string, signal: AbortSignal): AirdockError {
  return new AirdockError('INTERRUPTED', `${command} was interrupted`, { cause: signal.reason });
}

function notStarted(command: string, cwd: string | undefined, cause: unknown): AirdockError {
  const missing = systemCode(cause) === 'ENOENT';
  return new AirdockError(
    'PREFLIGHT_FAILED',
    missing ? `the program ${command} is not installed` : `${command} could not be started`,
    {
      hint: missing ? `Install ${command}, or add it to PATH${cwd === undefined ? '' : ` (working directory: ${cwd})`}.` : '',
      cause,
    },
  );
}

/** Keeps the end of a text stream and passes its lines on. */
class Tail extends Writable {
  readonly #limit: number;
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #decoder = new TextDecoder();
  #kept = '';
  #line = '';

  constructor(limit: number, onLine?: (line: string) => void) {
    super();
    this.#limit = limit;
    this.#onLine = onLine;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#take(this.#decoder.decode(chunk, { stream: true }));
    done();
  }

  override _final(done: () => void): void {
    this.#take(this.#decoder.decode());
    if (this.#line !== '') this.#onLine?.(this.#line);
    done();
  }

  text(): string {
    return this.#kept;
  }

  #take(text: string): void {
    this.#kept = (this.#kept + text).slice(-this.#limit);
    if (!this.#onLine) return;
    const lines = (this.#line + text).split(/\r?\n/);
    this.#line = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }
}
