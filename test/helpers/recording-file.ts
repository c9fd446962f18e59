// test/fixtures/cluster/*.jsonl: a call a line, for whoever reads what changed in a recording. Of a loop that asks the same again and
// again only the first and the last answer are kept, and JSON without its blanks.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { changes, type Call } from './recording.ts';

type Kept = Omit<Call, 'stdout'> & { stdout?: string; /** The line, from 0, that has the same one. */ stdoutOf?: number };

export async function writeRecording(file: string, calls: readonly Call[]): Promise<void> {
  const seen = new Map<string, number>();
  const same = (at: number): string => JSON.stringify([calls[at]?.scene, calls[at]?.tool, calls[at]?.args, calls[at]?.input]);
  const kept = calls.filter((call, at) => changes(call) || same(at) !== same(at - 1) || same(at) !== same(at + 1));
  const lines = kept
    .map((call) => ({ ...call, stdout: compact(call.stdout) }))
    .map(({ stdout, ...call }, at): Kept => {
      const before = stdout.length > 100 ? seen.get(stdout) : undefined;
      if (before !== undefined) return { ...call, stdoutOf: before };
      seen.set(stdout, at);
      return { ...call, stdout };
    });
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

export async function readRecording(file: string): Promise<Call[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const kept = lines.map((line) => JSON.parse(line) as Kept);
  return kept.map(({ stdoutOf, stdout, ...call }) => ({ ...call, stdout: stdout ?? kept[stdoutOf ?? -1]?.stdout ?? '' }));
}

function compact(text: string): string {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
