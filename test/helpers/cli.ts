import type { Prompt, Runtime } from '../../src/cli/context.ts';
import { run } from '../../src/cli/run.ts';
import { openHelm } from '../../src/io/helm.ts';
import { run as runProgram } from '../../src/io/process.ts';

export type CliResult = { code: number; stdout: string; stderr: string };
export type CliOptions = {
  cwd?: string;
  env?: Record<string, string>;
  /** What a person types, in order; without it there is no terminal. */
  answers?: readonly string[];
  /** All of the standard input. */
  stdin?: string;
  signal?: AbortSignal;
  io?: Runtime['io'];
  self?: Partial<Runtime['self']>;
};

/** Runs a command line in this process, as `main.ts` would. */
export async function airdock(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  const runtime: Runtime = {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    isTTY: false,
    signal: options.signal ?? new AbortController().signal,
    now: () => new Date(),
    self: { revision: '', executable: undefined, installers: '/nowhere', licenses: () => undefined, ...options.self },
    ...(options.answers ? { prompt: promptOf([...options.answers]) } : {}),
    stdin: async () => options.stdin ?? '',
    tools: async () => ({ run: runProgram, openHelm }),
    io: options.io ?? (() => Promise.reject(new Error('this test has no io'))),
  };
  const code = await run(args, runtime, async () => runtime);
  return { code, stdout, stderr };
}

function promptOf(answers: string[]): Prompt {
  const next = async (): Promise<string> => answers.shift() ?? '';
  return { line: next, secret: next };
}
