// test/fixtures/cluster/*.jsonl: a call a line, for whoever reads what changed in a recording. Of a loop that asks the same again and
// again only the first and the last answer are kept, and none that is as the one before it was; of a long text that comes again the
// line that has it; and JSON without its blanks.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { changes, type Call } from './recording.ts';

/** `{ line: 3 }`: as on that line, counted from 0. */
type Text = string | { line: number };
type Kept = Omit<Call, 'input' | 'stdout'> & { input: Text; stdout: Text };

const long = 100;

export async function writeRecording(file: string, calls: readonly Call[]): Promise<void> {
  const kept = withoutRepeats(calls);
  const [inputs, outputs] = [new Map<string, number>(), new Map<string, number>()];
  const lines = kept.map(({ input, stdout, ...call }, at): Kept => ({
    ...call,
    input: once(inputs, input, at),
    stdout: once(outputs, compact(stdout), at),
  }));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** The same may be asked more often than was recorded, and is answered as it was last. */
function withoutRepeats(calls: readonly Call[]): Call[] {
  const questionAt = (at: number): string => {
    const { scene, tool, args, input } = calls[at] ?? {};
    return JSON.stringify([scene, tool, args, input]);
  };
  let said = new Map<string, string>();
  return calls.filter((call, at) => {
    const question = questionAt(at);
    if (changes(call)) {
      said = new Map();
      return true;
    }
    const { exitCode, stdout, stderr, early } = call;
    const answer = JSON.stringify([exitCode, stdout, stderr]);
    const again = early === undefined && said.get(question) === answer;
    said.set(question, answer);
    return !again && (question !== questionAt(at - 1) || question !== questionAt(at + 1));
  });
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
