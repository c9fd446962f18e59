import { interpolate } from '../../io/compose-interpolation.ts';
import { AirdockError } from '../../errors.ts';
import { type Assignment, decode, encode, scan } from './syntax.ts';

/** A `.env` file. Bytes that are not edited never change. Immutable: an edit returns a new document. */
export interface EnvFile {
  /** The value as compose reads it, without interpolation. Undefined when absent. If a key is set twice, the last value counts. */
  get(key: string): string | undefined;
  /** The value as services get it: interpolated with variables of the same file, except between single quotes. */
  expanded(key: string): string | undefined;
  /** Every key once, in the order of the file. */
  keys(): string[];
  /** Line numbers (from 1) at which the key is set. */
  lines(key: string): number[];
  /** The comment lines directly above the key, without line ends. */
  comments(key: string): string[];
  /** The assignment as written, with an inline comment, without the line end. */
  line(key: string): string | undefined;
  /** Changes only the bytes of the value. @throws ENV_INVALID when the key is absent or set twice */
  set(key: string, value: string): EnvFile;
  /** Appends entries, with the file's line ending. @throws ENV_INVALID when a key is set already */
  append(entries: readonly EnvEntry[]): EnvFile;
  /** @throws ENV_INVALID naming the lines when the key is set twice */
  assertOnce(key: string): void;
  toBytes(): Buffer;
}

export type EnvEntry = {
  key: string;
  /** The value that compose must read; or `line`, an assignment copied from another file. */
  value?: string;
  line?: string;
  /** Comment lines above the assignment, without line ends. */
  comments?: readonly string[];
};

/** @throws AirdockError ENV_INVALID naming a line that compose cannot read either */
export function parseEnvFile(bytes: Uint8Array | string, name = '.env'): EnvFile {
  return new Document(Buffer.from(bytes).toString('latin1'), name);
}

class Document implements EnvFile {
  readonly #text: string;
  readonly #name: string;
  readonly #assignments: Assignment[];

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
    this.#assignments = scan(text, name);
  }

  get(key: string): string | undefined {
    const assignment = this.#all(key).at(-1);
    if (!assignment || assignment.inherited) return undefined;
    return fromBytes(decode(this.#text.slice(assignment.start, assignment.end), assignment.quote));
  }

  expanded(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined || this.#all(key).at(-1)?.quote === "'") return value;
    return interpolate(value, (name) => (name === key ? undefined : this.get(name)));
  }

  keys(): string[] {
    return [...new Set(this.#assignments.map(({ key }) => fromBytes(key)))];
  }

  lines(key: string): number[] {
    return this.#all(key).map(({ line }) => line);
  }

  comments(key: string): string[] {
    const assignment = this.#all(key).at(-1);
    if (!assignment) return [];
    const above = this.#text.slice(0, assignment.lineStart).split('\n').slice(0, -1);
    return above.slice(above.findLastIndex((line) => !/^\s*#/.test(line)) + 1).map((line) => fromBytes(line.replace(/\r$/, '')));
  }

  line(key: string): string | undefined {
    const assignment = this.#all(key).at(-1);
    if (!assignment) return undefined;
    const end = this.#text.indexOf('\n', assignment.end);
    return fromBytes(this.#text.slice(assignment.lineStart, end === -1 ? undefined : end)).replace(/\r$/, '');
  }

  set(key: string, value: string): EnvFile {
    this.assertOnce(key);
    const [assignment] = this.#all(key);
    if (!assignment) throw new AirdockError('ENV_INVALID', `${this.#name} does not set ${key}`);
    const rest = this.#text.slice(assignment.end);
    // After an empty value without quotes, a comment would become the value.
    const style = value === '' && /^[ \t]*#/.test(rest) && assignment.quote === '' ? "'" : assignment.quote;
    const encoded = (assignment.inherited ? '=' : '') + encode(toBytes(value), style);
    return new Document(this.#text.slice(0, assignment.start) + encoded + rest, this.#name);
  }

  append(entries: readonly EnvEntry[]): EnvFile {
    const newline = /\r?\n/.exec(this.#text)?.[0] ?? '\n';
    let text = this.#text;
    if (text !== '' && !text.endsWith('\n')) text += newline;
    for (const { key, value = '', line, comments = [] } of entries) {
      if (this.#all(key).length > 0) throw new AirdockError('ENV_INVALID', `${this.#name} sets ${key} already`);
      const assignment = line === undefined ? `${toBytes(key)}=${encode(toBytes(value), '')}` : toBytes(line);
      text += [...comments.map(toBytes), assignment].map((row) => row + newline).join('');
    }
    return new Document(text, this.#name);
  }

  assertOnce(key: string): void {
    const lines = this.lines(key);
    if (lines.length < 2) return;
    throw new AirdockError('ENV_INVALID', `${this.#name} sets ${key} more than once, in lines ${lines.join(' and ')}`, {
      hint: `docker compose uses the last line. Keep the line that you want, and remove the others.`,
    });
  }

  toBytes(): Buffer {
    return Buffer.from(this.#text, 'latin1');
  }

  #all(key: string): Assignment[] {
    const keyBytes = toBytes(key);
    return this.#assignments.filter((assignment) => assignment.key === keyBytes);
  }
}

/** From latin1, the form that syntax.ts works on, to text. */
function fromBytes(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
