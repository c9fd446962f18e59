export type Lookup = (key: string) => string | undefined;

export type Interpolated = {
  value: string;
  /** Variables without a value and without a default; they became ''. */
  missing: string[];
  /** The text has a `$` that does not begin a variable. */
  malformed: boolean;
};

/** Replaces the variables in a text; those without a value become ''. */
export function interpolate(text: string, lookup: Lookup): string {
  return interpolation(text, lookup).value;
}

/**
 * Compose interpolation (compose-spec, "Interpolation"): `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`,
 * `${NAME:?error}`, `${NAME?error}`, `${NAME:+replacement}`, `${NAME+replacement}`, `$$`; defaults may nest.
 */
export function interpolation(text: string, lookup: Lookup): Interpolated {
  const missing: string[] = [];
  let malformed = false;

  const expand = (source: string): string => {
    let out = '';
    for (let i = 0; i < source.length; i += 1) {
      const char = source[i];
      if (char !== '$') {
        out += char;
        continue;
      }
      const rest = source.slice(i + 1);
      if (rest.startsWith('$')) {
        out += '$';
        i += 1;
        continue;
      }
      const bare = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0];
      if (bare !== undefined) {
        out += replace(bare, '', '');
        i += bare.length;
        continue;
      }
      const end = rest.startsWith('{') ? closing(rest) : -1;
      const [, name, operator = '', word = ''] = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])(.*))?$/s.exec(rest.slice(1, end)) ?? [];
      if (end === -1 || name === undefined) {
        malformed = true;
        out += char;
        continue;
      }
      out += replace(name, operator, word);
      i += end + 1;
    }
    return out;
  };

  const replace = (name: string, operator: string, word: string): string => {
    const value = lookup(name);
    const present = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
    if (operator.endsWith('+')) return present ? expand(word) : '';
    if (present) return value ?? '';
    if (operator.endsWith('-')) return expand(word);
    missing.push(name);
    return '';
  };

  return { value: expand(text), missing, malformed };
}

/** Index of the brace that closes the one at 0. */
function closing(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === '{') depth += 1;
    else if (text[i] === '}') depth -= 1;
    if (depth === 0) return i;
  }
  return -1;
}
