import type { ComposeModel } from '../../io/compose.ts';
import { secretsIn } from '../../policy/secrets.ts';
import { readEnv, type Site } from '../site/site.ts';

/** What must not be told of a deployment: the values of its `.env`, and what its compose files give to containers besides. */

/** Shorter ones are ports, switches and words: without them nothing could be read any more. */
const shortest = 6;

export type Secrets = {
  /** By the name that stands for them. */
  values: ReadonlyMap<string, string>;
  /** Of `.env`, and whether each has a value. */
  keys: string[];
};

/** @param marked keys that the release marks as secret */
export async function secretsHere(site: Site, marked: ReadonlySet<string> = new Set()): Promise<Secrets> {
  const values = new Map<string, string>();
  const add = (value: string, key: string): void => {
    if (value.length >= shortest && !values.has(value)) values.set(value, key);
  };
  const env = await readEnv(site.directory).catch(() => undefined);
  const keys = env?.keys() ?? [];
  const given = keys
    .filter((key) => key !== 'VERSION')
    .map((key) => [key, env?.get(key) ?? '', env?.expanded(key) ?? ''] as const);
  for (const [key, ...forms] of given) for (const value of forms) add(value, key);
  for (const [key, ...forms] of given) for (const value of forms) for (const one of secretsIn(key, value)) add(one, key);
  const model = await site
    .compose()
    .then((compose) => compose.config())
    .catch((): ComposeModel => ({ name: '', services: {} }));
  for (const [key, text] of settingsOf(model)) {
    const value = text.replaceAll('$$', () => '$');
    const found = secretsIn(key, value, marked);
    for (const one of found.length > 0 ? [text, ...found] : []) add(one, key);
  }
  return { values, keys: keys.map((key) => `${key} ${env?.get(key) ? 'is set' : 'is empty'}`) };
}

/** Every text of what compose rendered, with the name that it stands under; a list also as one, for an option and its value may be two items. */
function settingsOf(value: unknown, key = ''): [key: string, text: string][] {
  if (typeof value === 'string') return [[key, value]];
  if (typeof value !== 'object' || value === null) return [];
  if (!Array.isArray(value)) return Object.entries(value).flatMap(([name, member]) => settingsOf(member, name));
  const items: unknown[] = value;
  const texts = items.filter((item) => typeof item === 'string');
  // the secrets of a service are names
  const name = key === 'secrets' ? '' : key;
  return [
    ...(texts.length > 1 ? [[name, texts.join(' ')] as [string, string]] : []),
    ...items.flatMap((item) => settingsOf(item, name)),
  ];
}

/** Each value, in the forms that programs print it in, is its name in brackets; the longest first, for one may be part of another. */
export function withoutSecrets(text: string, values: Secrets['values']): string {
  const sorted = [...values].toSorted(([a], [b]) => b.length - a.length);
  return sorted.reduce((rest, [value, key]) => {
    const forms = new Set([value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]);
    return [...forms].reduce((all, form) => all.replaceAll(form, `[${key}]`), rest);
  }, text);
}
