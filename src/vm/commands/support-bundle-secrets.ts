import type { ComposeModel } from '../../io/compose.ts';
import { secretsIn } from '../../policy/secrets.ts';
import { readEnv, type Site } from '../site/site.ts';

/** What a support bundle must not contain: the values of `.env`, and secrets that the compose files give to containers. */

/** Shorter values are ports, switches and words; without them the bundle would be unreadable. */
const shortestSecret = 6;

export type Secrets = {
  /** Each value with the name that replaces it. */
  values: ReadonlyMap<string, string>;
  /** The keys of `.env`, and whether each has a value. */
  keys: string[];
};

/** @param marked keys that the release marks as secret */
export async function secretsHere(site: Site, marked: ReadonlySet<string> = new Set()): Promise<Secrets> {
  const values = new Map<string, string>();
  const add = (value: string, key: string): void => {
    if (value.length >= shortestSecret && !values.has(value)) values.set(value, key);
  };
  const env = await readEnv(site.directory).catch(() => undefined);
  const keys = env?.keys() ?? [];
  const valuesByKey = keys
    .filter((key) => key !== 'VERSION')
    .map((key) => [key, env?.get(key) ?? '', env?.expanded(key) ?? ''] as const);
  for (const [key, ...forms] of valuesByKey) for (const value of forms) add(value, key);
  for (const [key, ...forms] of valuesByKey) for (const value of forms) for (const one of secretsIn(key, value)) add(one, key);
  const model = await site
    .compose()
    .then((compose) => compose.config())
    .catch((): ComposeModel => ({ name: '', services: {} }));
  for (const [key, text] of settingsOf(model)) {
    const value = text.replaceAll('$$', () => '$');
    const secrets = secretsIn(key, value, marked);
    for (const one of secrets.length > 0 ? [text, ...secrets] : []) add(one, key);
  }
  return { values, keys: keys.map((key) => `${key} ${env?.get(key) ? 'is set' : 'is empty'}`) };
}

/** Every text in the compose model, with its name. The items of a list are also joined, because an option and its value may be two items. */
function settingsOf(value: unknown, key = ''): [key: string, text: string][] {
  if (typeof value === 'string') return [[key, value]];
  if (typeof value !== 'object' || value === null) return [];
  if (!Array.isArray(value)) return Object.entries(value).flatMap(([name, member]) => settingsOf(member, name));
  const items: unknown[] = value;
  const texts = items.filter((item) => typeof item === 'string');
  // items of `secrets` are names, not values
  const name = key === 'secrets' ? '' : key;
  return [
    ...(texts.length > 1 ? [[name, texts.join(' ')] as [string, string]] : []),
    ...items.flatMap((item) => settingsOf(item, name)),
  ];
}

/** Replaces each value, also URL-encoded or escaped as in JSON, by its name in brackets; the longest first, because one may contain another. */
export function withoutSecrets(text: string, values: Secrets['values']): string {
  const sorted = [...values].toSorted(([a], [b]) => b.length - a.length);
  return sorted.reduce((rest, [value, key]) => {
    const forms = new Set([value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]);
    return [...forms].reduce((all, form) => all.replaceAll(form, `[${key}]`), rest);
  }, text);
}
