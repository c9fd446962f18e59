import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { hexOf } from '../../digest.ts';
import { AirdockError } from '../../errors.ts';
import { readPublicKey } from '../../bundle/keys.ts';
import { digestToSign, signBundle, type SignOptions } from '../../bundle/sign.ts';
import { signWith } from '../../bundle/signature.ts';
import { asStep } from '../../events.ts';
import type { Act, CliContext } from '../context.ts';
import type { SignDocument } from '../documents/sign.ts';
import { readTextFile } from '../read-file.ts';
import { addKeyOptions, signingKey, type KeyOptions } from '../signing-key.ts';
import { at } from '../trust.ts';

type Options = KeyOptions & { external?: true; signature?: string; trust?: string };

export function declare(command: Command, act: Act): void {
  addKeyOptions(command.argument('<bundle>'))
    .description('Verifies what a bundle carries, then signs it in place: 512 bytes of the file change.')
    .option('--external', 'for an HSM or KMS: prints the SHA-256 to sign (hex), or inserts the signature given by --signature')
    .option('--signature <file>', 'with --external: the ECDSA signature of that digest, DER')
    .option('--trust <file>', 'with --signature: the public key that made it')
    .action(act(sign));
}

async function sign(context: CliContext, bundle: string, options: Options): Promise<void> {
  const path = at(context, bundle);
  if (options.external && options.signature === undefined) {
    const digest = hexOf(await digestToSign(path));
    context.result({ schema: 'airdock.sign/1', digest } satisfies SignDocument, `${digest}\n`);
    return;
  }
  const signer = options.external ? await externalSigner(context, options) : await ownSigner(context, options);
  const { fingerprint } = await asStep(context.listener, 'sign', async (onProgress) => {
    const done = await signBundle(path, { ...signer, signal: context.signal, onProgress });
    return { ...done, summary: bundle };
  });
  context.result({ schema: 'airdock.sign/1', key: fingerprint } satisfies SignDocument, `signed by ${fingerprint}\n`);
}

type Signing = Pick<SignOptions, 'sign' | 'publicKey'>;

async function ownSigner(context: CliContext, options: Options): Promise<Signing> {
  if (options.signature !== undefined || options.trust !== undefined) {
    throw new AirdockError('USAGE', '--signature and --trust belong to --external');
  }
  const key = await signingKey(context, options);
  return { sign: signWith(key), publicKey: createPublicKey(key) };
}

async function externalSigner(context: CliContext, { signature: file, trust }: Options): Promise<Signing> {
  if (file === undefined || trust === undefined) {
    throw new AirdockError('USAGE', 'a signature is checked before it is inserted', {
      hint: 'Give its public key too: --trust release.pub.',
    });
  }
  const signature = await readFile(at(context, file)).catch((cause: unknown) => {
    throw new AirdockError('FILE_NOT_FOUND', `the signature ${file} cannot be read`, { cause });
  });
  return { sign: () => signature, publicKey: readPublicKey(await readTextFile(context.cwd, trust, 'public key')) };
}
