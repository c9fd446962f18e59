// Calls of kubectl and helm as they were answered by a real cluster, and a stand-in for it that answers alike: what changes the
// cluster must come in the same order, word for word; what only looks may look more often than it did then.
import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { gunzipSync } from 'node:zlib';

export type Tool = 'kubectl' | 'helm';
export type Asked = { tool: Tool; args: readonly string[]; input: Buffer };
export type Answer = { exitCode: number; stdout: Buffer; stderr: Buffer };
/** As it is kept: in words that are the same in every run (see `Words`). */
export type Call = {
  /** Counted from 1: each run of airdock begins one. */
  scene: number;
  tool: Tool;
  args: string[];
  input: string;
  exitCode: number;
  stdout: string;
  stderr: string;
  /** Answered when so many characters of the input were there: a session, whose user went on after the answer. */
  early?: number;
};

/** What differs from run to run: where the registry is, and folders. */
export class Words {
  readonly #pairs: readonly (readonly [live: string, kept: string])[];

  constructor(places: { registry: string; folder: string }) {
    this.#pairs = [
      [places.registry, '<registry>'],
      [places.folder, '<folder>'],
    ];
  }

  kept(bytes: Buffer): string {
    if (!isUtf8(bytes)) return `base64:${bytes.toString('base64')}`;
    return this.#pairs.reduce((text, [live, kept]) => text.replaceAll(live, kept), bytes.toString());
  }

  live(text: string): Buffer {
    if (text.startsWith('base64:')) return Buffer.from(text.slice(7), 'base64');
    return Buffer.from(this.#pairs.reduce((all, [live, kept]) => all.replaceAll(kept, live), text));
  }

  /** Of what was asked: no call is alike to the last byte of a random password or of the time. */
  asked({ tool, args, input }: Asked): Question {
    return { tool, args: args.map((one) => steady(this.kept(Buffer.from(one)))), input: this.#input(input) };
  }

  #input(input: Buffer): string {
    if (!isUtf8(input)) return `sha256:${createHash('sha256').update(input).digest('hex')}`;
    const record = recordIn(input);
    return steady(this.kept(record === undefined ? input : Buffer.from(withRecord(input.toString(), steadyRecord(record)))));
  }
}

function steady(text: string): string {
  return text
    .replaceAll(/\/tmp\/airdock-helm-\w+/g, '<unpacked>')
    .replaceAll(/\b[0-9a-f]{48}\b/g, '<random>')
    .replaceAll(/sha256:[0-9a-f]{64}/g, '<digest>')
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replaceAll(/\b\d{8}-\d{6}\b/g, '<time>');
}

/** airdock's own record (src/kubernetes/record/record.ts), which holds keys, names and times. */
function steadyRecord(record: string): string {
  const { trust, transactions, ...rest } = JSON.parse(gunzipSync(Buffer.from(record, 'base64')).toString()) as {
    trust: { role: string }[];
    transactions: Record<string, unknown>[];
  };
  const roles = trust.map(({ role }) => role);
  const steadied = {
    ...rest,
    roles,
    transactions: transactions.map((one) => ({ ...one, operator: '<operator>', pid: '<pid>' })),
  };
  return JSON.stringify(steadied);
}

function recordIn(object: Buffer): string | undefined {
  const text = object.toString();
  if (!text.includes('"airdock.dev/record"')) return undefined;
  return (JSON.parse(text) as { data?: { record?: string } }).data?.record;
}

function withRecord(object: string, record: string): string {
  const parsed = JSON.parse(object) as { data: Record<string, string> };
  return JSON.stringify({ ...parsed, data: { ...parsed.data, record } });
}

const changingVerbs = new Set([
  'create',
  'replace',
  'apply',
  'delete',
  'scale',
  'label',
  'annotate',
  'patch',
  'upgrade',
  'rollback',
]);
const changingPrograms = /\b(pg_restore|manage\.py)\b/;
const changingStatements = /(?:^|[;\n] *|-c )(?:CREATE|ALTER|DROP|UPDATE|INSERT|DELETE|GRANT|REVOKE)\b/;

/** Whether the cluster, or a database in it, may be another one afterwards. */
export function changes({ args, input }: Pick<Call, 'args' | 'input'>): boolean {
  const verb = args.find((word, at) => !word.startsWith('-') && !(args[at - 1] ?? '').startsWith('-')) ?? '';
  if (verb !== 'exec') return changingVerbs.has(verb) && !args.includes('--dry-run=server');
  const command = args.slice(args.indexOf('--') + 1).join(' ');
  return (
    changingPrograms.test(command) ||
    (/\bpsql\b/.test(command) && (changingStatements.test(command) || changingStatements.test(input)))
  );
}

/** Its answer so far, and what to say when its input has ended. */
type Session = { stdout: Buffer; end: (whole: Asked) => Answer };

/** What was asked in a scene between two changes, and the change that ended it. */
type Stretch = { scene: number; reads: Map<string, { calls: Call[]; asked: number }>; change: Call | undefined };
type Question = Pick<Call, 'tool' | 'args' | 'input'>;

/** Answers as the recording does. */
export class Replay {
  readonly #words: Words;
  readonly #stretches: Stretch[] = [];
  #scene = 0;
  #at = 0;
  /** airdock's own record (one release a recording) is given back as this run wrote it, with its keys, times and names. */
  #record: string | undefined;
  /** What did not fit. */
  readonly problems: string[] = [];

  constructor(calls: readonly Call[], words: Words) {
    this.#words = words;
    for (const call of calls) {
      let last = this.#stretches.at(-1);
      if (!last || last.change || last.scene !== call.scene) {
        last = { scene: call.scene, reads: new Map(), change: undefined };
        this.#stretches.push(last);
      }
      if (changes(call)) last.change = call;
      else {
        const read = last.reads.get(keyOf(call)) ?? { calls: [], asked: 0 };
        read.calls.push(call);
        last.reads.set(keyOf(call), read);
      }
    }
  }

  /** What was recorded of the scene before has happened by now. */
  nextScene(): void {
    for (; (this.#here?.scene ?? Infinity) <= this.#scene; this.#at++) {
      this.#unasked();
      const change = this.#here?.change;
      if (change) this.problems.push(`never asked: ${textOf(change)}`);
    }
    this.#scene += 1;
  }

  /** Where the recording is, if that is within the scene. */
  get #here(): Stretch | undefined {
    const stretch = this.#stretches[this.#at];
    return stretch && stretch.scene <= this.#scene ? stretch : undefined;
  }

  answer(asked: Asked): Answer {
    const call = this.#words.asked(asked);
    const found = changes(call) ? this.#change(call) : this.#read(call);
    if (typeof found === 'string') {
      this.problems.push(found);
      return { exitCode: 97, stdout: Buffer.alloc(0), stderr: Buffer.from(`stand-in: ${found}\n`) };
    }
    const written = recordIn(asked.input);
    if (written !== undefined && found.exitCode === 0) this.#record = written;
    const stdout = this.#words.live(found.stdout);
    const own = this.#record !== undefined && recordIn(stdout) !== undefined;
    return {
      exitCode: found.exitCode,
      stdout: own ? Buffer.from(withRecord(stdout.toString(), this.#record ?? '')) : stdout,
      stderr: this.#words.live(found.stderr),
    };
  }

  /** Of a session: what was answered while its input went on, once that has come as far. */
  answerBefore(asked: Asked): Session | undefined {
    const { tool, args, input } = this.#words.asked(asked);
    for (const { calls, asked: often } of this.#here?.reads.values() ?? []) {
      const call = calls[often];
      if (!call || call.early !== input.length || !call.input.startsWith(input)) continue;
      if (keyOf({ ...call, input: '' }) !== keyOf({ tool, args, input: '' })) continue;
      this.#here?.reads.set(keyOf(call), { calls, asked: often + 1 });
      return { stdout: this.#words.live(call.stdout), end: (whole) => this.#endOf(call, whole) };
    }
    return undefined;
  }

  #endOf(call: Call, whole: Asked): Answer {
    const { input } = this.#words.asked(whole);
    if (input !== call.input) this.problems.push(`ended with ${input}\nwhere the recording has: ${textOf(call)}`);
    return { exitCode: call.exitCode, stdout: Buffer.alloc(0), stderr: this.#words.live(call.stderr) };
  }

  /** @throws when something did not fit, or was recorded and did not happen */
  finish(): void {
    this.#scene = Math.max(this.#scene, this.#stretches.at(-1)?.scene ?? 0);
    this.nextScene();
    if (this.problems.length > 0) throw new Error(this.problems.join('\n'));
  }

  #change(call: Question): Call | string {
    const change = this.#here?.change;
    if (!change) return `a change that was not recorded: ${textOf(call)}`;
    if (keyOf(change) !== keyOf(call)) return `asked: ${textOf(call)}\nwhere the recording has: ${textOf(change)}`;
    this.#unasked();
    this.#at += 1;
    return change;
  }

  #read(call: Question): Call | string {
    const read = this.#here?.reads.get(keyOf(call));
    if (!read) return `was not asked at this place when it was recorded: ${textOf(call)}`;
    read.asked += 1;
    return read.calls[Math.min(read.asked, read.calls.length) - 1]!;
  }

  #unasked(): void {
    for (const { calls, asked } of this.#here?.reads.values() ?? [])
      if (asked === 0) this.problems.push(`never asked: ${textOf(calls[0]!)}`);
  }
}

function keyOf({ tool, args, input }: Question): string {
  return JSON.stringify([tool, args, input]);
}

function textOf({ tool, args, input }: Question): string {
  return `${tool} ${args.join(' ')}${input === '' ? '' : `\n  with ${input.slice(0, 2000)}`}`;
}
