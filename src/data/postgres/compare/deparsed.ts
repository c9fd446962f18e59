/**
 * Rewrites SQL that the server printed into the form that the server prints after it has parsed it again, as in a restore: some
 * expressions change (measured with PostgreSQL 15; ruleutils.c prints the tree, gram.y and parse_expr.c build another).
 *
 * - `status IN ('a', …)` of a varchar column is printed as a cast of the whole, `(ARRAY['a'::character varying])::text[]`, and
 *   read as one of each element, `ARRAY[('a'::character varying)::text]`.
 * - `x BETWEEN 1 AND 2 AND y` is printed as `((x >= 1 AND x <= 2) AND y)`, and read as `(x >= 1 AND x <= 2 AND y)`: a first
 *   operand with the same operator is taken into the list.
 * - `-1::int` is printed as `(- 1)`, and read as the number `'-1'::integer` (doNegate).
 * - `EXISTS (SELECT 'x')` is printed as `SELECT 'x'::text`, which is then a column named for its type, `SELECT 'x'::text AS text`.
 *
 * Text in quotes stays as it is, and with it the body of a function.
 */
export function asReadAgain(sql: string): string {
  return sql.includes('(') ? new Reader(sql).read().join('') : sql;
}

const literal = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$/suy;
const word = /\w+/uy;
const blank = /\s+/uy;
const castToArray = /::((?:"(?:[^"]|"")*"|[\w$ .])+(?:\(\d+(?:,\d+)?\))?[a-z ]*)\[\]/uy;

const castWithAlias = /(::([a-z][\w ]*?)(?:\(\d+(?:,\d+)?\))?(?:\[\])?) AS (?=\w)/uy;

/** Names of types in the catalog that differ from their names in SQL. */
const typeNames: Record<string, string> = {
  integer: 'int4',
  bigint: 'int8',
  smallint: 'int2',
  boolean: 'bool',
  character: 'bpchar',
  'character varying': 'varchar',
  'double precision': 'float8',
  real: 'float4',
  'bit varying': 'varbit',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  'time without time zone': 'time',
  'time with time zone': 'timetz',
};

class Reader {
  readonly #sql: string;
  #at = 0;

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Pieces of text up to one of the characters of `end` at this level, or to the end. */
  read(end = ''): string[] {
    const pieces: string[] = [];
    const ends = new Set(end);
    while (this.#at < this.#sql.length && !ends.has(this.#sql.charAt(this.#at))) pieces.push(this.#piece());
    return pieces;
  }

  /** Elements between commas, up to the closing bracket or to the end. */
  elements(): string[] {
    const elements: string[] = [];
    do elements.push(this.read(',]').join('').trim());
    while (this.#char() === ',');
    return elements;
  }

  #piece(): string {
    const plain = this.#match(literal) ?? this.#match(word) ?? this.#match(blank);
    if (plain) return plain[0] + (/^(?:'|NULL$)/.test(plain[0]) ? this.#constant() : '');
    const char = this.#char();
    if (char === '[') return `[${this.read(']').join('')}${this.#char()}`;
    if (char !== '(') return char;
    const inner = this.read(')');
    const closing = this.#char();
    const number = /^- (\d+(?:\.\d+)?)$/.exec(inner.join(''))?.[1];
    if (number !== undefined) return `'-${number}'::${number.includes('.') ? 'numeric' : 'integer'}`;
    const array = inner[0] === 'ARRAY' && inner.length === 2 ? elementsOf(inner.join('')) : undefined;
    const type = array && this.#match(castToArray)?.[1];
    return type === undefined ? `(${flat(inner).join('')}${closing}` : castEach(array ?? [], type);
  }

  /** The cast after a constant, without the alias that follows from it. */
  #constant(): string {
    const [, whole = '', type = ''] = this.#match(castWithAlias) ?? [];
    if (whole !== '') {
      const alias = this.#match(word)?.[0] ?? '';
      if (alias === (typeNames[type] ?? type)) return whole;
      return `${whole} AS ${alias}`;
    }
    return '';
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#sql) ?? undefined;
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  #char(): string {
    return this.#sql.charAt(this.#at++);
  }
}

/** Removes the parentheses around the first operand of AND or OR, if that operand uses the same operator. */
function flat(pieces: string[]): string[] {
  const operator = pieces[2];
  const first = pieces[0];
  if ((operator !== 'AND' && operator !== 'OR') || first === undefined || !/^\(.*\)$/su.test(first)) return pieces;
  const inner = new Reader(first.slice(1, -1)).read();
  return inner.includes(operator) ? [...inner, ...pieces.slice(1)] : pieces;
}

function elementsOf(array: string): string[] | undefined {
  const inner = /^ARRAY\[(.*)\]$/su.exec(array)?.[1];
  return inner === undefined || inner === '' ? undefined : new Reader(inner).elements();
}

function castEach(elements: string[], type: string): string {
  const each = elements.map((element) => {
    const inner = elementsOf(element);
    return inner === undefined ? `(${element})::${type}` : castEach(inner, type);
  });
  return `ARRAY[${each.join(', ')}]`;
}
