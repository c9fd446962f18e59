import { interpolate } from '../../io/compose-interpolation.ts';
import { AirdockError } from '../../errors.ts';
import { type Assignment, decode, encode, scan } from './syntax.ts';

/** A `.env` file of which every byte that is not edited stays as it is. Immutable: edits give a new document. */
export interface EnvFile {
  /** As compose reads it, variables in it left alone. Undefined when absent. The last one wins when a key is there twice. */
  get(key: string): string | undefined;
  /** As services get it: with variables of the same file put in, except between single quotes. */
  expanded(key: string): string | undefined;
  /** Each once, in the order of the file. */
  keys(): string[];
  /** Line numbers (from 1) at which the key is set. */
  lines(key: string): number[];
  /** The comment lines directly above the key, without line ends. */
  comments(key: string): string[];
  /** The assignment as it stands, without its line end; with an inline comment when it has one. */
  line(key: string): string | undefined;
  /** Changes the bytes of the value alone. @throws ENV_INVALID when the key is absent or there twice */
  set(key: string, value: string): EnvFile;
  /** At the end, in the file's own line ending. @throws ENV_INVALID when a key is there already */
  append(entries: readonly EnvEntry[]): EnvFile;
  /** @throws ENV_INVALID naming the lines when the key is there twice */
  assertOnce(key: string): void;
  toBytes(): Buffer;
}

export type EnvEntry = {
  key: string;
  /** Written so that compose reads exactly this; or `line`, the assignment as another file has it. */
  value?: string;
  line?: string;
  /** Whole comment lines above it, without line ends. */
  comments?: readonly string[];
};

/** @throws AirdockError ENV_INVALID naming the line that compose would not read either */
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
    const found = this.#all(key).at(-1);
    if (!found || found.inherited) return undefined;
    return fromBytes(decode(this.#text.slice(found.start, found.end), found.quote));
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
    const found = this.#all(key).at(-1);
    if (!found) return [];
    const above = this.#text.slice(0, found.lineStart).split('\n').slice(0, -1);
    return above.slice(above.findLastIndex((line) => !/^\s*#/.test(line)) + 1).map((line) => fromBytes(line.replace(/\r$/, '')));
  }

  line(key: string): string | undefined {
    const found = this.#all(key).at(-1);
    if (!found) return undefined;
    const end = this.#text.indexOf('\n', found.end);
    return fromBytes(this.#text.slice(found.lineStart, end === -1 ? undefined : end)).replace(/\r$/, '');
  }

  set(key: string, value: string): EnvFile {
    this.assertOnce(key);
    const [found] = this.#all(key);
    if (!found) throw new AirdockError('ENV_INVALID', `${this.#name} does not set ${key}`);
    const rest = this.#text.slice(found.end);
    // An empty bare value would make the comment behind it the value.
    const style = value === '' && /^[ \t]*#/.test(rest) && found.quote === '' ? "'" : found.quote;
    const encoded = (found.inherited ? '=' : '') + encode(toBytes(value), style);
    return new Document(this.#text.slice(0, found.start) + encoded + rest, this.#name);
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
      hint: `docker compose takes the last one. Keep the line that is meant, and remove the others.`,
    });
  }

  toBytes(): Buffer {
    return Buffer.from(this.#text, 'latin1');
  }

  #all(key: string): Assignment[] {
    const wanted = toBytes(key);
    return this.#assignments.filter((assignment) => assignment.key === wanted);
  }
}

/** The syntax is read byte by byte (env-syntax.ts); people and programs want text. */
function fromBytes(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
