import { rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { generateKeys } from '../../bundle/keys.ts';
import { AirdockError } from '../../errors.ts';
import { createFile } from '../../io/files.ts';
import type { Act, CliContext } from '../context.ts';
import type { KeygenDocument } from '../documents/keygen.ts';
import { givenPassword, type KeyOptions } from '../signing-key.ts';
import { at } from '../trust.ts';

type Options = Pick<KeyOptions, 'keyPasswordFile'> & { out: string };

export function declare(command: Command, act: Act): void {
  command
    .description('Makes an ECDSA P-256 key: NAME.key, encrypted, and NAME.pub, which customers trust.')
    .option('--out <name>', 'path and name of the two files, without their endings', 'release')
    .option('--key-password-file <file>', 'file with the password for the key (or set AIRDOCK_KEY_PASSWORD)')
    .action(act(keygen));
}

async function keygen(context: CliContext, options: Options): Promise<void> {
  const privateKey = `${options.out}.key`;
  const publicKey = `${options.out}.pub`;
  const pair = generateKeys(await newPassword(context, options));
  await createFile(at(context, privateKey), pair.privatePem, 0o600);
  try {
    await createFile(at(context, publicKey), pair.publicPem, 0o644);
  } catch (error) {
    await rm(at(context, privateKey));
    throw error;
  }
  const { fingerprint } = pair;
  context.result(
    { schema: 'airdock.keygen/1', privateKey, publicKey, fingerprint } satisfies KeygenDocument,
    `private key  ${privateKey}\npublic key   ${publicKey}\nfingerprint  ${fingerprint}\n`,
  );
}

async function newPassword(context: CliContext, options: Options): Promise<string> {
  const given = await givenPassword(context, options);
  if (given === undefined && context.prompt) {
    const first = await context.prompt.secret('Password for the new key: ');
    if (first !== '') {
      if (first === (await context.prompt.secret('Once more: '))) return first;
      throw new AirdockError('USAGE', 'the two passwords differ');
    }
  }
  if (given !== undefined && given !== '') return given;
  throw new AirdockError('USAGE', 'a key is never written without a password', {
    hint: 'Set AIRDOCK_KEY_PASSWORD, or give --key-password-file FILE.',
  });
}
