/**
 * Compose interpolation (compose-spec, "Interpolation"): `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`,
 * `${NAME:?error}`, `${NAME?error}`, `${NAME:+replacement}`, `${NAME+replacement}`, `$$`; defaults may nest.
 * Undefined variables give '' and are named in `missing`.
 */
export function interpolate(
  text: string,
  values: Readonly<Record<string, string>>,
): { value: string; missing: string[]; malformed: boolean } {
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
        out += lookUp(bare, '', '');
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
      out += lookUp(name, operator, word);
      i += end + 1;
    }
    return out;
  };

  const lookUp = (name: string, operator: string, word: string): string => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    const present = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
    if (operator.endsWith('+')) return present ? expand(word) : '';
    if (present) return value ?? '';
    if (operator.endsWith('-')) return expand(word);
    missing.push(name);
    return '';
  };

  const value = expand(text);
  return { value, missing, malformed };
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

/** The defaults of an env template: KEY=VALUE lines, as compose reads them. A key without a value counts as not set. */
export function envDefaults(template: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const line of template.split(/\r?\n/)) {
    const [, key, raw = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined) continue;
    const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/.exec(raw);
    const value = quoted?.[2] ?? raw.replace(/(^|\s)#.*$/, '').trim();
    if (value !== '') values[key] = value;
  }
  return values;
}
