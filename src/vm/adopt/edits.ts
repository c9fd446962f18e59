import { z } from 'zod';
import { interpolation } from '../../io/compose-interpolation.ts';
import { secretsIn } from '../../policy/secrets.ts';
import { isNull, reset, type Raw } from '../compose-files/raw-yaml.ts';

/** One difference of the operator's compose file from the release's. */
export const composeEdit = z.strictObject({
  /** `api.environment.GUNICORN_WORKERS`, `volumes.pgdata.external` */
  path: z.string(),
  change: z.enum(['set', 'removed']),
  /** As written, with its variables; null when it is removed, or contains a secret. */
  value: z.string().nullable(),
});
export type ComposeEdit = z.infer<typeof composeEdit>;

/** The edits found so far, and the keys of `.env` that the release marks as secret. */
export type Edits = { list: ComposeEdit[]; secretKeys: ReadonlySet<string> };

/** Records a changed value. @param replaced the release's value: if it comes from a secret variable, the new value is a secret too */
export function set(
  edits: Edits,
  { value, path, key, replaced }: { value: Raw; path: string; key: string; replaced?: Raw },
): Raw {
  const names = [key, ...(replaced?.kind === 'scalar' ? variablesOf(replaced.text) : [])];
  edits.list.push({ path, change: 'set', value: valueToShow(names, value, edits.secretKeys) });
  return value;
}

export function removed(edits: Edits, path: string): Raw {
  edits.list.push({ path, change: 'removed', value: null });
  return reset;
}

/** The value as text; null when it contains a secret. */
function valueToShow(names: readonly string[], raw: Raw, marked: ReadonlySet<string>): string | null {
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
      ? raw.items.map((item) => itemToShow(names, item, marked))
      : [...raw.entries].map(([key, value]) => {
          const text = valueToShow([key], value, marked);
          return text === null ? null : `${key}: ${text}`;
        });
  return parts.includes(null) ? null : parts.join(', ');
}

/** An item `KEY=VALUE` has a name of its own; items of `secrets` are names, not values. */
function itemToShow(names: readonly string[], item: Raw, marked: ReadonlySet<string>): string | null {
  if (item.kind !== 'scalar') return valueToShow([], item, marked);
  const [, key, value] = /^([\w.-]+)=(.*)$/s.exec(item.text) ?? [];
  if (key !== undefined && value !== undefined && hidden(key, value, marked)) return null;
  const inherited = names.filter((name) => name !== 'secrets');
  return valueToShow(inherited.length > 0 ? inherited : [''], item, marked);
}

/**
 * Whether a value must not be shown. Only the text besides variables counts, once with empty and once with set variables: a default
 * may be a secret, a variable alone is not.
 */
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
