import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { authorizeBy, type Authorize } from '../bundle/signature.ts';
import { AirdockError } from '../errors.ts';
import type { CliContext } from './context.ts';
import { readTextFile } from './read-file.ts';

/** `--trust`, of the commands that read a bundle where no key is pinned. */
export type TrustOptions = { trust: readonly string[] };

export function addTrustOption(command: Command): Command {
  return command.addOption(
    new Option('--trust <file>', 'a public key to trust (may be given several times)')
      .default([], 'none')
      .argParser((value: string, previous: readonly string[]) => [...previous, value]),
  );
}

/** @throws TRUST_NEEDED: nothing in a bundle is read before its signature (DESIGN 1.2) */
export async function authorizeFrom(context: CliContext, { trust }: TrustOptions): Promise<Authorize> {
  if (trust.length === 0) {
    throw new AirdockError('TRUST_NEEDED', 'which key is to be trusted is not said', {
      hint: 'Give the vendor’s public key: --trust release.pub.',
    });
  }
  return authorizeBy(await Promise.all(trust.map((path) => readTextFile(context.cwd, path, 'public key'))));
}

/** A path of the command line, as an absolute one. */
export function at(context: CliContext, path: string): string {
  return resolve(context.cwd, path);
}
