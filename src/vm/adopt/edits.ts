import { z } from 'zod';
import { interpolation } from '../../io/compose-interpolation.ts';
import { secretsIn } from '../../policy/secrets.ts';
import { isNull, reset, type Raw } from '../compose-files/raw-yaml.ts';

/** One place in which the operator's compose file differs from the release's. */
export const composeEdit = z.strictObject({
  /** `api.environment.GUNICORN_WORKERS`, `volumes.pgdata.external` */
  path: z.string(),
  change: z.enum(['set', 'removed']),
  /** As written, variables and all; null when it is removed, or has a secret in it. */
  value: z.string().nullable(),
});
export type ComposeEdit = z.infer<typeof composeEdit>;

/** What was found so far, and the keys of `.env` that the release marks as secret. */
export type Edits = { found: ComposeEdit[]; marked: ReadonlySet<string> };

/** @param instead what the release has there: filled from a secret variable, what stands in its place is one too */
export function set(edits: Edits, { value, path, key, instead }: { value: Raw; path: string; key: string; instead?: Raw }): Raw {
  const names = [key, ...(instead?.kind === 'scalar' ? variablesOf(instead.text) : [])];
  edits.found.push({ path, change: 'set', value: shown(names, value, edits.marked) });
  return value;
}

export function removed(edits: Edits, path: string): Raw {
  edits.found.push({ path, change: 'removed', value: null });
  return reset;
}

/** Null when there is a secret in it: then none of it is shown. */
function shown(names: readonly string[], raw: Raw, marked: ReadonlySet<string>): string | null {
  if (raw.kind === 'scalar') {
    if (isNull(raw)) return 'null';
    return names.some((name) => hidden(name, raw.text, marked)) ? null : raw.text;
  }
  if (raw.kind === 'list') {
    // an option and its value may be two items
    const texts = raw.items.flatMap((item) => (item.kind === 'scalar' ? [item.text] : []));
    if (hidden('', texts.join(' '), marked)) return null;
  }
  const parts =
    raw.kind === 'list'
      ? raw.items.map((item) => shownItem(names, item, marked))
      : [...raw.entries].map(([key, value]) => {
          const text = shown([key], value, marked);
          return text === null ? null : `${key}: ${text}`;
        });
  return parts.includes(null) ? null : parts.join(', ');
}

/** `KEY=VALUE` has a name of its own; the secrets of a service are names. */
function shownItem(names: readonly string[], item: Raw, marked: ReadonlySet<string>): string | null {
  if (item.kind !== 'scalar') return shown([], item, marked);
  const [, key, value] = /^([\w.-]+)=(.*)$/s.exec(item.text) ?? [];
  if (key !== undefined && value !== undefined && hidden(key, value, marked)) return null;
  const inherited = names.filter((name) => name !== 'secrets');
  return shown(inherited.length > 0 ? inherited : [''], item, marked);
}

/** What is written besides variables, whether they have a value or not: a default may be a secret, a variable alone is none. */
function hidden(name: string, text: string, marked: ReadonlySet<string>): boolean {
  return [undefined, ' '].some((variable) => {
    const { value } = interpolation(text, () => variable);
    return (value === text || /[\p{L}\p{N}]/u.test(value)) && secretsIn(name, value, marked).length > 0;
  });
}

function variablesOf(text: string): string[] {
  const names: string[] = [];
  interpolation(text, (name) => {
    names.push(name);
    return undefined;
  });
  return names;
}
