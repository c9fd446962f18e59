import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { authorizeBy, type Authorize } from '../bundle/authorize.ts';
import { AirdockError } from '../errors.ts';
import type { NamedTrust } from '../vm/site/open-trusted.ts';
import type { CliContext } from './context.ts';
import { readTextFile } from './read-file.ts';

/** The options that name trusted keys, for commands that read a bundle. */
export type TrustOptions = { trust: readonly string[]; fingerprint: readonly string[] };

export function addTrustOption(command: Command): Command {
  const several = (value: string, previous: readonly string[]): string[] => [...previous, value];
  return command
    .addOption(
      new Option('--trust <file>', 'the vendor’s public key, of the root or of the release (may be given several times)')
        .default([], 'none')
        .argParser(several),
    )
    .addOption(
      new Option('--fingerprint <print>', 'fingerprint of the vendor’s root, SHA256:…, when the bundle carries trust.json')
        .default([], 'none')
        .argParser(several),
    );
}

/** @throws FILE_NOT_FOUND, USAGE */
export async function namedTrust(context: CliContext, { trust, fingerprint }: TrustOptions): Promise<NamedTrust> {
  const wrong = fingerprint.find((print) => !/^SHA256:[A-Za-z0-9+/]{43}$/.test(print));
  if (wrong !== undefined)
    throw new AirdockError('USAGE', `--fingerprint ${JSON.stringify(wrong)} is not a fingerprint`, {
      hint: 'It is SHA256: and 43 letters and digits, as airdock keygen prints it.',
    });
  const given = await Promise.all(trust.map((path) => readTextFile(context.cwd, path, 'public key')));
  return { given, fingerprints: fingerprint };
}

/** @throws TRUST_NEEDED: nothing in a bundle is interpreted before its signature was checked (docs/FORMAT.md section 9) */
export async function authorizeFrom(context: CliContext, options: TrustOptions): Promise<Authorize> {
  if (options.trust.length === 0 && options.fingerprint.length === 0) {
    throw new AirdockError('TRUST_NEEDED', 'no trusted key was given', {
      hint: 'Give the vendor’s public key: --trust release.pub.',
    });
  }
  return authorizeBy(await namedTrust(context, options));
}

/** Makes a path of the command line absolute. */
export function at(context: CliContext, path: string): string {
  return resolve(context.cwd, path);
}
