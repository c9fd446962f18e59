import { AirdockError } from '../../errors.ts';

/**
 * Parses a `.env` file as compose does (github.com/compose-spec/compose-go, dotenv/parser.go), with the position of every value.
 * Text here is latin1, one character a byte, so that offsets are byte offsets and other encodings survive.
 */
export type Assignment = {
  key: string;
  /** Line number of the key, from 1. */
  line: number;
  /** Start of the line that the key is on. */
  lineStart: number;
  /** Start and end of the value, with its quotes. */
  start: number;
  end: number;
  quote: '' | "'" | '"';
  /** `KEY` alone: compose takes the value from its own environment. */
  inherited: boolean;
};

const blank = /[ \t\v\f\r]/;

export function scan(text: string, name: string): Assignment[] {
  const assignments: Assignment[] = [];
  // compose skips a byte order mark.
  let at = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  const refuse = (where: number, why: string) =>
    new AirdockError('ENV_INVALID', `${name} line ${lineOf(text, where)}: ${why}`, {
      hint: 'docker compose cannot read the file either. Correct the line.',
    });
  while (at < text.length) {
    if (blank.test(text.charAt(at)) || text[at] === '\n') {
      at++;
      continue;
    }
    if (text[at] === '#') {
      at = endOfLine(text, at);
      continue;
    }
    const head = /^(?:export[ \t]+)?([^\n=:]*?)[ \t\v\f\r]*(=|:|\n|$)/.exec(text.slice(at, endOfLine(text, at) + 1));
    const key = head?.[1] ?? '';
    // Compose also accepts letters of other alphabets, which are the upper half of latin1 here.
    if (!head || !/^[\w.[\]\x80-\xff-]+$/.test(key)) throw refuse(at, `${nameInMessage(key, head?.[2])} is not a variable name`);
    const position = { key, line: lineOf(text, at), lineStart: text.lastIndexOf('\n', at) + 1 };
    const inherited = head[2] !== '=' && head[2] !== ':';
    if (inherited) {
      const end = at + head[0].trimEnd().length;
      assignments.push({ ...position, start: end, end, quote: '', inherited });
      at = endOfLine(text, at);
      continue;
    }
    let start = at + head[0].length;
    while (start < text.length && blank.test(text.charAt(start))) start++;
    const quote = text[start];
    if (quote === "'" || quote === '"') {
      const end = closing(text, start, quote);
      if (end === undefined) throw refuse(start, `the quote of ${key} is not closed`);
      assignments.push({ ...position, start, end, quote, inherited });
      at = end;
    } else {
      // An empty value followed by blanks starts right after the separator, where a new value would be written.
      if (start === text.length || quote === '\n') start = at + head[0].length;
      const line = text.slice(start, endOfLine(text, start));
      const end = start + (line.split(' #', 1)[0] ?? '').trimEnd().length;
      assignments.push({ ...position, start, end, quote: '', inherited });
      at = endOfLine(text, start);
    }
  }
  return assignments;
}

/** Messages quote the text only if it may be a mistyped name: it could also be the rest of a secret that lost its quotes. */
function nameInMessage(key: string, separator: string | undefined): string {
  const mistyped = (separator === '=' || separator === ':') && /^[\w. -]{1,40}$/.test(key);
  return mistyped ? JSON.stringify(key) : 'what it begins with';
}

/** Offset after the closing quote; a backslash escapes the character after it. */
function closing(text: string, start: number, quote: string): number | undefined {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === quote) return i + 1;
  }
  return undefined;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The value without its quotes and escapes; variables stay. */
export function decode(raw: string, quote: Assignment['quote']): string {
  if (quote === '') return raw;
  const inner = raw.slice(1, -1);
  if (quote === "'") return inner.replaceAll(/\\(.)/gs, (whole, char: string) => (char === "'" ? char : whole));
  return inner.replaceAll(/\\(0\d{1,3}|.)/gs, (whole, char: string) => {
    if (/^0\d/.test(char)) return String.fromCharCode(Number.parseInt(char, 8) & 0xff);
    return escapes[char] ?? (char === '"' || char === '\\' || char === '$' ? char : whole);
  });
}

const escapes: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** Writes a value so that compose reads exactly that value, in the given style if possible. `$` never starts a variable. */
export function encode(value: string, style: Assignment['quote']): string {
  const bare = /^[\w./:@%+,=~^*?&()[\]{}<>|;!\x80-\xff-]*$/.test(value);
  const single = !/['\\\n\r]/.test(value);
  if (style === '' && bare) return value;
  if (style !== '"' && single) return `'${value}'`;
  const escaped = value.replaceAll(/[\\"$]/g, String.raw`\$&`);
  return `"${escaped.replaceAll('\n', String.raw`\n`).replaceAll('\r', String.raw`\r`)}"`;
}
