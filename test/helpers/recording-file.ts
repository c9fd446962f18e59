// test/fixtures/cluster/*.jsonl: a call a line, for whoever reads what changed in a recording. Of a loop that asks the same again and
// again only the first and the last answer are kept, of a long text that comes again the line that has it, and JSON without its blanks.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { changes, type Call } from './recording.ts';

/** `{ line: 3 }`: as on that line, counted from 0. */
type Text = string | { line: number };
type Kept = Omit<Call, 'input' | 'stdout'> & { input: Text; stdout: Text };

const long = 100;

export async function writeRecording(file: string, calls: readonly Call[]): Promise<void> {
  const key = (at: number): string => {
    const { scene, tool, args, input } = calls[at] ?? {};
    return JSON.stringify([scene, tool, args, input]);
  };
  const kept = calls.filter((call, at) => changes(call) || key(at) !== key(at - 1) || key(at) !== key(at + 1));
  const [inputs, outputs] = [new Map<string, number>(), new Map<string, number>()];
  const lines = kept.map(({ input, stdout, ...call }, at): Kept => ({
    ...call,
    input: once(inputs, input, at),
    stdout: once(outputs, compact(stdout), at),
  }));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

export async function readRecording(file: string): Promise<Call[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const kept = lines.map((line) => JSON.parse(line) as Kept);
  const text = (of: 'input' | 'stdout', said: Text): string => {
    const first = typeof said === 'string' ? said : kept[said.line]?.[of];
    if (typeof first !== 'string') throw new Error(`${file}: a line leads nowhere`);
    return first;
  };
  return kept.map(({ input, stdout, ...call }) => ({ ...call, input: text('input', input), stdout: text('stdout', stdout) }));
}

function once(seen: Map<string, number>, text: string, at: number): Text {
  const line = seen.get(text);
  if (text.length > long && line !== undefined) return { line };
  seen.set(text, at);
  return text;
}

function compact(text: string): string {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
