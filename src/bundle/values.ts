import { AirdockError } from '../errors.ts';

const limit = 30_000;

/**
 * Limits the number of JSON values (docs/FORMAT.md section 8). They are counted in the text, by the characters that come
 * before a value, because parsing 4 MiB of `{},` takes 2 GiB. Such characters inside strings count too.
 * @throws BUNDLE_ENTRY_TOO_LARGE
 */
export function checkValueLimit(what: string, json: Buffer): void {
  let values = 1;
  for (const character of [',', '[', '{']) {
    for (let at = json.indexOf(character); at >= 0 && values <= limit; at = json.indexOf(character, at + 1)) values += 1;
  }
  if (values <= limit) return;
  throw new AirdockError('BUNDLE_ENTRY_TOO_LARGE', `${what} has more than ${limit} values (FORMAT.md 8)`);
}
