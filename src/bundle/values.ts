import { AirdockError } from '../errors.ts';

const limit = 30_000;

/**
 * docs/FORMAT.md section 8, of JSON: counted by what may stand before a value, so before objects are made of any, because 4 MiB of
 * `{},` take 2 GiB to understand. What stands in strings counts as well.
 * @throws BUNDLE_ENTRY_TOO_LARGE
 */
export function checkValueLimit(what: string, json: Buffer): void {
  let values = 1;
  for (const sign of [',', '[', '{']) {
    for (let at = json.indexOf(sign); at >= 0 && values <= limit; at = json.indexOf(sign, at + 1)) values += 1;
  }
  if (values <= limit) return;
  throw new AirdockError('BUNDLE_ENTRY_TOO_LARGE', `${what} has more than ${limit} values (FORMAT.md 8)`);
}
