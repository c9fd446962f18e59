import { Option, type Command } from 'commander';
import { parseIdentities } from '../data/postgres/backup/sealed.ts';
import type { CliContext } from './context.ts';
import { readTextFile } from './read-file.ts';

export type IdentityFlags = { identity?: string };

/** For commands that read what is in a backup. */
export function addIdentityOption(command: Command): Command {
  return command.addOption(
    new Option('--identity <file>', 'age identities, as age-keygen writes them, to read an encrypted backup'),
  );
}

/** @throws FILE_NOT_FOUND, KEY_UNREADABLE */
export async function identitiesOf(context: CliContext, { identity }: IdentityFlags): Promise<{ identities?: string[] }> {
  if (identity === undefined) return {};
  const text = await readTextFile(context.cwd, identity, 'identity file');
  return { identities: await parseIdentities(text, identity) };
}
