import type { ComposeModel } from '../../io/compose.ts';
import { readEnv, type Site } from '../site/site.ts';

/** What must not be told of a deployment: the values of its `.env`, and what its compose files give to containers besides. */

/** Shorter ones are ports, switches and words: without them nothing could be read any more. */
const shortest = 6;
const secretName = /pass|secret|token|key|credential|dsn|auth/i;

export type Secrets = {
  /** By the name that stands for them. */
  values: ReadonlyMap<string, string>;
  /** Of `.env`, and whether each has a value. */
  keys: string[];
};

export async function secretsHere(site: Site): Promise<Secrets> {
  const values = new Map<string, string>();
  const env = await readEnv(site.directory).catch(() => undefined);
  for (const key of env?.keys() ?? [])
    if (key !== 'VERSION') for (const value of [env?.get(key), env?.expanded(key)]) if (value) values.set(value, key);
  const model = await site
    .compose()
    .then((compose) => compose.config())
    .catch((): ComposeModel => ({ name: '', services: {} }));
  for (const { environment = {} } of Object.values(model.services))
    for (const [key, value] of Object.entries(environment))
      if (value && (secretName.test(key) || /:\/\/[^/\s]+@/.test(value)) && !values.has(value)) values.set(value, key);
  for (const value of values.keys()) if (value.length < shortest) values.delete(value);
  return { values, keys: (env?.keys() ?? []).map((key) => `${key} ${env?.get(key) ? 'is set' : 'is empty'}`) };
}

/** Each value, in the forms that programs print it in, is its name in brackets; the longest first, for one may be part of another. */
export function withoutSecrets(text: string, values: Secrets['values']): string {
  const sorted = [...values].toSorted(([a], [b]) => b.length - a.length);
  return sorted.reduce((rest, [value, key]) => {
    const forms = new Set([value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]);
    return [...forms].reduce((all, form) => all.replaceAll(form, `[${key}]`), rest);
  }, text);
}
