import type { KeyObject } from 'node:crypto';
import type { Command } from 'commander';
import { needsPassphrase, readPrivateKey } from '../bundle/keys.ts';
import { AirdockError } from '../errors.ts';
import type { CliContext } from './context.ts';
import { readTextFile } from './read-file.ts';

/** The signing key: given by a file or the environment. Its password is never an argument, because other users can read arguments. */
export type KeyOptions = { key?: string; keyPasswordFile?: string };

export function addKeyOptions(command: Command): Command {
  return command
    .option('--key <file>', 'the private key (or the PEM text in AIRDOCK_KEY)')
    .option('--key-password-file <file>', 'file with the password of the key (or set AIRDOCK_KEY_PASSWORD)');
}

/** Undefined when no key is given. @throws KEY_UNREADABLE, FILE_NOT_FOUND */
export async function findSigningKey(context: CliContext, options: KeyOptions): Promise<KeyObject | undefined> {
  const pem =
    options.key === undefined ? context.env['AIRDOCK_KEY'] : await readTextFile(context.cwd, options.key, 'signing key');
  if (pem === undefined || pem === '') return undefined;
  return readPrivateKey(pem, needsPassphrase(pem) ? await password(context, options) : undefined);
}

/** @throws USAGE without one */
export async function signingKey(context: CliContext, options: KeyOptions): Promise<KeyObject> {
  const key = await findSigningKey(context, options);
  if (key) return key;
  throw new AirdockError('USAGE', 'no signing key was given', {
    hint: 'Give --key release.key, or its text in AIRDOCK_KEY. airdock keygen makes one.',
  });
}

async function password(context: CliContext, options: KeyOptions): Promise<string> {
  const given = await givenPassword(context, options);
  if (given !== undefined) return given;
  if (context.prompt) return context.prompt.secret('Password of the signing key: ');
  throw new AirdockError('USAGE', 'the signing key is encrypted, and its password was not given', {
    hint: 'Set AIRDOCK_KEY_PASSWORD, or give --key-password-file FILE.',
  });
}

/** The password from the file or the environment; undefined when neither is set. */
export async function givenPassword(context: CliContext, options: KeyOptions): Promise<string | undefined> {
  if (options.keyPasswordFile !== undefined) {
    return (await readTextFile(context.cwd, options.keyPasswordFile, 'password file')).replace(/\r?\n$/, '');
  }
  return context.env['AIRDOCK_KEY_PASSWORD'];
}
