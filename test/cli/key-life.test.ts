// The procedures of OPERATIONS.md, "Keys": what the vendor does, and what becomes of customers who do what, or nothing.
import { copyFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../helpers/bundle.ts';
import { airdock } from '../helpers/cli.ts';
import { Customer, release, writeKey } from '../helpers/customer.ts';
import { newKey, password } from '../helpers/key-sets.ts';

const [root, newRoot, one, two, thief] = [newKey(), newKey(), newKey(), newKey(), newKey()];
vi.setConfig({ testTimeout: 60_000 });

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let customer: Customer;
let another: Customer;
const trust = { fingerprints: [root.fingerprint] };

beforeEach(async () => {
  folder = await temporaryFolder();
  customer = new Customer(folder.file('customer'));
  another = new Customer(folder.file('another'));
  await writeKey(folder.file('root'), root);
  await writeKey(folder.file('root-2'), newRoot);
  await writeKey(folder.file('release'), one);
  await writeKey(folder.file('release-2'), two);
  await writeKey(folder.file('thief'), thief);
});
afterEach(() => folder[Symbol.asyncDispose]());

/** The vendor, in the vault. */
async function rotate(keys: readonly string[], { key = 'root', file = 'trust.json' } = {}): Promise<string> {
  const named = keys.flatMap((name) => ['--release', `${name}.pub`]);
  const args = ['trust', 'rotate', file, '--key', `${key}.key`, '--product', 'shop', ...named];
  const { code, stderr } = await airdock(args, { cwd: folder.path, env: { AIRDOCK_KEY_PASSWORD: password } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return folder.file(file);
}

test('rotation: a customer follows, and one who skipped the release between follows, too', async () => {
  const first = await release(folder.file('0.3.0.tar'), '0.3.0', one, await rotate(['release']));
  expect(await customer.install(first, trust)).toBe('done');
  expect(await another.install(first, { given: [root.publicPem] })).toBe('done');
  const second = await release(folder.file('0.4.0.tar'), '0.4.0', one, await rotate(['release', 'release-2']));
  expect(await customer.install(second)).toBe('done');
  const third = await release(folder.file('0.5.0.tar'), '0.5.0', two, await rotate(['release-2']));
  expect(await customer.install(third)).toBe('done');
  expect(await another.install(third)).toBe('done');
  // from then on the old key is nobody's
  for (const who of [customer, another]) expect(await who.install(second)).toBe('KEY_REVOKED');
});

test('a customer who pinned the key of releases: the root is added once, and then they follow', async () => {
  const before = await release(folder.file('0.3.0.tar'), '0.3.0', one);
  expect(await customer.install(before, { given: [one.publicPem] })).toBe('done');
  await rotate(['release']);
  const next = await release(folder.file('0.4.0.tar'), '0.4.0', two, await rotate(['release-2']));
  expect(await customer.install(next)).toBe('SIGNATURE_INVALID');
  expect(await customer.trust(['add', 'root.pub', '--yes'])).toMatchObject({ code: 0 });
  expect(await customer.install(next)).toBe('done');
});

test('a lost release key: the next set is without it, the next bundle brings the set', async () => {
  const first = await release(folder.file('0.3.0.tar'), '0.3.0', one, await rotate(['release']));
  expect(await customer.install(first, trust)).toBe('done');
  const next = await release(folder.file('0.4.0.tar'), '0.4.0', two, await rotate(['release-2']));
  expect(await customer.install(next)).toBe('done');
});

test('a stolen release key: whoever took the trust.json, by mail, refuses what the thief signs; others do not know', async () => {
  const chain = await rotate(['release']);
  const first = await release(folder.file('0.3.0.tar'), '0.3.0', one, chain);
  for (const who of [customer, another]) expect(await who.install(first, trust)).toBe('done');
  const stolen = await release(folder.file('evil.tar'), '0.3.9', one, chain);
  const sent = await rotate(['release-2']);
  const told = await customer.trust(['add', sent], ['y']);
  expect(told).toMatchObject({ code: 0, stderr: expect.stringContaining(`revoked  ${one.fingerprint}`) });
  expect(await customer.install(stolen)).toBe('KEY_REVOKED');
  expect(await another.install(stolen)).toBe('done');
  // a thief who has the key, and leaves trust.json out
  expect(await customer.install(await release(folder.file('bare.tar'), '0.3.9', one))).toBe('KEY_REVOKED');
  expect(await customer.install(await release(folder.file('0.4.0.tar'), '0.4.0', two, sent))).toBe('done');
});

test('a thief with a release key cannot bring keys of their own', async () => {
  const first = await release(folder.file('0.3.0.tar'), '0.3.0', one, await rotate(['release']));
  expect(await customer.install(first, trust)).toBe('done');
  await writeKey(folder.file('thief-root'), newKey());
  const chain = await rotate(['thief'], { key: 'thief-root', file: 'own.json' });
  expect(await customer.install(await release(folder.file('evil.tar'), '0.4.0', thief, chain))).toBe('SIGNATURE_INVALID');
  const refused = await customer.trust(['add', chain, '--yes']);
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('root of these key sets is not pinned') });
});

test('a lost root: the last set stays in force; a new root is added by hand, and the old one removed', async () => {
  const first = await release(folder.file('0.3.0.tar'), '0.3.0', one, await rotate(['release']));
  expect(await customer.install(first, trust)).toBe('done');
  expect(await customer.install(await release(folder.file('0.4.0.tar'), '0.4.0', one, folder.file('trust.json')))).toBe('done');
  const chain = await rotate(['release-2'], { key: 'root-2', file: 'trust-2.json' });
  const next = await release(folder.file('0.5.0.tar'), '0.5.0', two, chain);
  expect(await customer.install(next)).toBe('SIGNATURE_INVALID');
  expect((await customer.trust(['add', 'root-2.pub', '--yes'])).code).toBe(0);
  expect(await customer.install(next)).toBe('done');
  expect((await customer.trust(['remove', root.fingerprint, '--yes'])).code).toBe(0);
  expect(await customer.install(first)).toBe('SIGNATURE_INVALID');
});

test('a stolen root: two sets of one number are seen as a fork, and the old root is removed', async () => {
  const first = await release(folder.file('0.3.0.tar'), '0.3.0', one, await rotate(['release']));
  for (const who of [customer, another]) expect(await who.install(first, trust)).toBe('done');
  await copyFile(folder.file('trust.json'), folder.file('stolen.json'));
  const evil = await release(folder.file('evil.tar'), '0.4.0', thief, await rotate(['thief'], { file: 'stolen.json' }));
  const good = await release(folder.file('0.4.0.tar'), '0.4.0', two, await rotate(['release-2']));
  expect(await customer.install(good)).toBe('done');
  expect(await customer.install(evil)).toBe('TRUST_FORKED');
  expect(await another.install(evil)).toBe('done'); // nothing can tell them
  expect(await another.install(good)).toBe('TRUST_FORKED'); // but now something does
  const chain = await rotate(['release-2'], { key: 'root-2', file: 'trust-2.json' });
  expect((await another.trust(['add', 'root-2.pub', '--yes'])).code).toBe(0);
  expect((await another.trust(['remove', root.fingerprint, '--yes'])).code).toBe(0);
  expect(await another.install(evil)).toBe('KEY_NOT_TRUSTED');
  expect(await another.install(await release(folder.file('0.5.0.tar'), '0.5.0', two, chain))).toBe('done');
});
