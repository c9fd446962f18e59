// The program on a host, as an operator runs it.
import { once } from 'node:events';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { documents } from '../../src/cli/documents/all.ts';
import type { ProgressEvent } from '../../src/events.ts';
import type { Host } from './host.ts';
import { madeOnce, runFolder, sharedFolder } from './run-folder.ts';

const root = join(import.meta.dirname, '../..');

type Result = {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** The document on stdout, checked against its published schema; undefined without `--json`. */
  json: Record<string, unknown>;
  /** Progress, each event with the time it arrived. */
  events: (ProgressEvent & { at: number })[];
  /** When that step began, ms since the epoch. @throws when it never did */
  stepStarted(step: string): number;
};

type RunOptions = {
  env?: Record<string, string>;
  cwd?: string;
  /** Another program than the executable: see `patchedAirdock`. */
  program?: string;
  onEvent?: (event: ProgressEvent) => void;
  onStart?: (pid: number) => void;
};

/** The executable, outside of the checkout, as it would be out of a bundle; the same for a whole run. */
export function executable(): Promise<string> {
  return madeOnce(sharedFolder('program/airdock'), (unfinished) => cp(join(root, 'dist/airdock-linux-x64'), unfinished));
}

/** Runs it with `--json`; an exit code is never thrown for. */
export async function airdock(host: Host, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const { program = await executable(), env, cwd, onEvent, onStart } = options;
  const child = host.spawn([program, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(env ? { env } : {}),
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
  if (child.pid !== undefined) onStart?.(child.pid);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const lines: string[] = [];
  const events: Result['events'] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    if (!line.startsWith('{')) return;
    const event = JSON.parse(line) as ProgressEvent;
    events.push({ ...event, at: Date.now() });
    onEvent?.(event);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (signal !== null) throw new Error(`airdock was ended by ${signal}`);
  return {
    exitCode: code ?? -1,
    stdout,
    stderr: lines.join('\n'),
    json: parsed(stdout),
    events,
    stepStarted: (step) => {
      const found = events.find((event) => event.type === 'step-started' && event.step === step);
      if (!found) throw new Error(`the step ${step} never began: ${stdout}${lines.join('\n')}`);
      return found.at;
    },
  };
}

/** Every document that any test sees has the shape that docs/schemas says. */
export function parsed(stdout: string): Record<string, unknown> {
  const document = JSON.parse(stdout) as Record<string, unknown>;
  const name = /^airdock\.([a-z-]+)\/1$/.exec(String(document['schema']))?.[1] as keyof typeof documents;
  documents[name].parse(document);
  return document;
}

type Edit = { file: string; from: string; to: string };

/**
 * A copy of the program with changes: what a test must be able to tell from the real one.
 * @returns its path, for `RunOptions.program`
 * @throws when a text to change is not there exactly once
 */
export async function patchedAirdock(name: string, edits: readonly Edit[]): Promise<string> {
  const copy = runFolder(`airdock-${name}`);
  await mkdir(copy, { recursive: true });
  for (const part of ['bin', 'src', 'package.json']) await cp(join(root, part), join(copy, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules')).catch(() => {});
  for (const { file, from, to } of edits) {
    const text = await readFile(join(copy, file), 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${file} has not exactly one ${JSON.stringify(from)}`);
    await writeFile(
      join(copy, file),
      text.replace(from, () => to),
    );
  }
  return join(copy, 'bin/airdock');
}
