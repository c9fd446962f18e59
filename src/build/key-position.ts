import { readFileSync } from 'node:fs';

/**
 * The line of a key in a configuration; undefined when it is not found. The executable has no TypeScript parser, so the
 * text is searched key by key, with comments blanked out. The line only improves a message.
 */
export function keyPosition(path: string, keys: readonly PropertyKey[]): number | undefined {
  const text = blank(readFileSync(path, 'utf8'));
  let position = Math.max(0, text.search(/defineBundle\s*\(|export\s+default/));
  let found = false;
  for (const key of keys) {
    if (typeof key === 'number') continue;
    const name = String(key).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const match = new RegExp(`(?<![\\w$.])["']?${name}["']?\\s*(?=[:,}(])`).exec(text.slice(position));
    if (!match) return found ? lineOf(text, position) : undefined;
    position += match.index;
    found = true;
  }
  return found ? lineOf(text, position) : undefined;
}

/** Replaces comments by spaces and keeps newlines. */
function blank(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (all, string?: string) => (string === undefined ? all.replaceAll(/[^\n]/g, ' ') : string),
  );
}

function lineOf(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}
