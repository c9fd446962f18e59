import { type Command } from 'commander';
import { readPublicKey } from '../../bundle/keys.ts';
import { currentKeys, extendTrust, revokedKeys, type TrustChain } from '../../bundle/trust.ts';
import { signerOf } from '../../bundle/signature.ts';
import { AirdockError, isAirdockError } from '../../errors.ts';
import { addKey, addKeySets, listTrust, removeKey, type TrustChange } from '../../vm/commands/trust.ts';
import type { TrustList } from '../../vm/commands/trust-documents.ts';
import { replaceFile } from '../../io/files.ts';
import { consent } from '../consent.ts';
import type { Act, CliContext } from '../context.ts';
import type { TrustRotated } from '../documents/trust-rotate.ts';
import { directoryOf, hostOf } from '../host.ts';
import { readTextFile } from '../read-file.ts';
import { changeText, trustText } from '../render/trust.ts';
import { addKeyOptions, signingKey, type KeyOptions } from '../signing-key.ts';
import { at } from '../trust.ts';
import { readTrustFile } from '../trust-file.ts';

type Flags = { dir?: string };
type Changing = Flags & { yes?: true };

export function declare(command: Command, act: Act): void {
  command.description(
    'Trusted keys: shows and changes those that are pinned on a VM; makes the next key set of a root for the vendor.',
  );
  const one = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .option('--dir <directory>', 'the directory of the deployment (default: the current one)');
  one('list', 'Shows the pinned keys, and the newest key set seen of a root.').action(act(list));
  one('add', 'Pins a root, or takes key sets of a pinned root. Shows the fingerprint and asks for confirmation.')
    .argument('<file>', 'the public key of the root (PEM), or a trust.json')
    .option('--release', 'the key signs releases directly, for a vendor without a root')
    .option('--yes', 'do not ask')
    .action(act(add));
  one('remove', 'Removes a pinned key.')
    .argument('<fingerprint>', 'as airdock trust list shows it')
    .option('--yes', 'do not ask')
    .action(act(remove));
  const several = (value: string, previous: readonly string[]): string[] => [...previous, value];
  addKeyOptions(command.command('rotate'))
    .description(
      'Connected side: signs the next key set with the root and adds it to trust.json, which bundles carry from then on (build --trust-chain). A key that the new set leaves out is revoked.',
    )
    .argument('<file>', 'trust.json; created if it does not exist')
    .option('--release <file>', 'public key that may sign releases from now on (may be given several times)', several, [])
    .option('--product <name>', 'for a new trust.json')
    .option('--note <text>', 'reason for the change, shown by airdock trust list', '')
    .action(act(rotate));
}

async function list(context: CliContext, { dir }: Flags): Promise<void> {
  show(context, await listTrust(await hostOf(context), { directory: directoryOf(context, dir) }));
}

async function add(context: CliContext, file: string, { dir, release, yes }: Changing & { release?: true }): Promise<void> {
  const text = await readTextFile(context.cwd, file, 'public key or trust.json');
  const where = { directory: directoryOf(context, dir) };
  const host = await hostOf(context);
  const sets = text.trimStart().startsWith('{');
  if (sets && release) throw new AirdockError('USAGE', '--release is for a public key, and this is a trust.json');
  show(
    context,
    sets
      ? await addKeySets(host, { ...where, bytes: Buffer.from(text) }, confirm(context, yes))
      : await addKey(host, { ...where, text, role: release ? 'release' : 'root' }, confirm(context, yes)),
  );
}

async function remove(context: CliContext, fingerprint: string, { dir, yes }: Changing): Promise<void> {
  const where = { directory: directoryOf(context, dir), fingerprint };
  show(context, await removeKey(await hostOf(context), where, confirm(context, yes)));
}

function confirm(context: CliContext, yes: true | undefined): (change: TrustChange) => Promise<boolean> {
  return (change) => consent(context, changeText(change), 'Go on?', yes);
}

function show(context: CliContext, pinned: TrustList): void {
  context.result(pinned, trustText(pinned.keys));
}

type RotateFlags = KeyOptions & { release: string[]; product?: string; note: string };

async function rotate(context: CliContext, file: string, flags: RotateFlags): Promise<void> {
  const before = await readTrustFile(context, file).catch((error: unknown) => {
    if (isAirdockError(error, 'FILE_NOT_FOUND')) return undefined;
    throw error;
  });
  const product = productOf(before, flags.product);
  if (flags.release.length === 0)
    throw new AirdockError('USAGE', 'the set has no key', {
      hint: 'Name every key that may sign releases from now on: --release release.pub, several times if needed.',
    });
  const texts = await Promise.all(flags.release.map((path) => readTextFile(context.cwd, path, 'public key')));
  const keys = texts.map(readPublicKey);
  if (
    before &&
    sameKeys(
      before,
      keys.map((key) => signerOf(key).fingerprint),
    )
  )
    throw new AirdockError('USAGE', `key set ${before.sets.length} has exactly these keys already; nothing was written`);
  const created = `${context.now().toISOString().slice(0, 19)}Z`;
  const chain = extendTrust(before, await signingKey(context, flags), { product, keys, created, note: flags.note });
  await replaceFile(at(context, file), chain.bytes, { mode: 0o644 });
  const done = rotated(file, before, chain);
  context.result(done, textOf(done));
}

function productOf(before: TrustChain | undefined, product: string | undefined): string {
  const known = before?.product ?? product;
  if (known === undefined) throw new AirdockError('USAGE', 'a new trust.json needs --product, the name in bundle.config.ts');
  if (product === undefined || product === known) return known;
  throw new AirdockError('USAGE', `this trust.json belongs to ${known}, not to ${product}`);
}

function sameKeys(chain: TrustChain, prints: readonly string[]): boolean {
  const current = new Set(currentKeys(chain).map(({ fingerprint }) => fingerprint));
  return current.size === prints.length && prints.every((print) => current.has(print));
}

function rotated(file: string, before: TrustChain | undefined, chain: TrustChain): TrustRotated {
  const prints = (keys: readonly { fingerprint: string }[]): string[] => keys.map(({ fingerprint }) => fingerprint);
  const known = new Set(before?.sets.flatMap(({ keys }) => prints(keys)));
  const gone = new Set(prints(before ? revokedKeys(before) : []));
  return {
    schema: 'airdock.trust-rotate/1',
    path: file,
    product: chain.product,
    root: chain.root.fingerprint,
    number: chain.sets.length,
    keys: prints(currentKeys(chain)),
    added: prints(currentKeys(chain)).filter((print) => !known.has(print)),
    revoked: prints(revokedKeys(chain)).filter((print) => !gone.has(print)),
  };
}

function textOf({ path, product, root, number, keys, added, revoked }: TrustRotated): string {
  const lines = [
    `${path}: key set ${number} for ${product}, signed by the root ${root}`,
    ...keys.map((key) => `  signs    ${key}${added.includes(key) ? '  (new)' : ''}`),
    ...revoked.map((key) => `  revoked  ${key}`),
    `Next: airdock build … --trust-chain ${path}. Customers who pinned the root get the key set with that bundle.`,
  ];
  return `${lines.join('\n')}\n`;
}
