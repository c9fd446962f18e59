/**
 * Variables in a compose value, as the Compose Specification ("Interpolation") says: `$KEY`, `${KEY}`, `${KEY:-default}`,
 * `${KEY-default}`, `${KEY:?error}`, `${KEY?error}`, `${KEY:+other}`, `${KEY+other}`, `$$` for a dollar. Defaults may nest.
 * A key without a value becomes the empty string.
 */
export function interpolate(text: string, value: (key: string) => string | undefined): string {
  let out = '';
  for (let at = 0; at < text.length;) {
    if (text[at] !== '$') {
      out += text[at++];
      continue;
    }
    if (text[at + 1] === '$') {
      out += '$';
      at += 2;
      continue;
    }
    const plain = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(at + 1));
    if (plain) {
      out += value(plain[0]) ?? '';
      at += 1 + plain[0].length;
      continue;
    }
    const end = text[at + 1] === '{' ? closing(text, at + 1) : -1;
    if (end === -1) {
      out += text[at++];
      continue;
    }
    out += expand(text.slice(at + 2, end), value);
    at = end + 1;
  }
  return out;
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '{') depth++;
    if (text[at] === '}' && --depth === 0) return at;
  }
  return -1;
}

function expand(body: string, value: (key: string) => string | undefined): string {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(:?[-?+])?([^]*)$/.exec(body);
  if (!match) return '';
  const [, key = '', operator = '', rest = ''] = match;
  const found = value(key);
  const there = found !== undefined && (found !== '' || !operator.startsWith(':'));
  if (operator.endsWith('+')) return there ? interpolate(rest, value) : '';
  if (there) return found;
  return operator.endsWith('-') ? interpolate(rest, value) : '';
}
