// Backups that are encrypted and take the queue and a volume along; and the operator's book, section 10, as it is printed:
// whoever has the directory, the identity and stock tools has everything back.
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { cases } from '../helpers/faults.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, healthy, opt, psql, succeed } from '../helpers/deployment.ts';
import { fingerprint, installedState, seed } from '../helpers/nodepad.ts';
import { variant } from '../helpers/releases.ts';
import { runFolder, runName } from '../helpers/run-folder.ts';

const directory = opt();
const identity = runFolder('identity.txt');
let host: Host;
let recipient: string;
let bundle: string;

beforeAll(async () => {
  bundle = await variant('with-volume', '0.3.0', [
    { file: 'bundle.config.ts', from: `redis: {`, to: `volumes: ['storage'],\n  redis: {` },
  ]);
  host = await startHost({ name: runName('vm') });
  await installedState(host);
  const secret = await generateX25519Identity();
  recipient = await identityToRecipient(secret);
  await writeFile(identity, `# created: today\n# public key: ${recipient}\n${secret}\n`, { mode: 0o600 });
  await appendFile(join(directory, '.env'), '\nCOMPOSE_PROFILES=storage\n');
  await host.compose(directory, 'up', '-d');
  await healthy(host, directory, '0.2.4');
});
afterAll(() => host?.stop());

const backup = (...args: string[]) => airdock(host, ['backup', ...args, '--dir', directory]);
const inside = async (service: string, ...command: string[]) =>
  (await host.compose(directory, 'exec', '-T', service, ...command)).trim();
/** What a user would miss. */
const look = async () => ({
  rows: await fingerprint(host, directory),
  queue: await inside('redis', 'redis-cli', 'LRANGE', 'waiting', '0', '-1'),
  file: await inside('storage', 'stat', '-c', '%u:%g %a %s', '/data/größe'),
});
async function lose(): Promise<void> {
  await psql(host, directory, 'nodepad', 'DELETE FROM attachments; DELETE FROM notes');
  await inside('redis', 'redis-cli', 'DEL', 'waiting');
  await inside('storage', 'rm', '/data/größe');
}

/** The commands of that section, in their order. */
async function blocks(): Promise<string[]> {
  const book = await readFile(join(import.meta.dirname, '../../docs/OPERATIONS.md'), 'utf8');
  const section = /^## 10\. Restoring by hand\n([\s\S]*?)^## 11\./m.exec(book)?.[1] ?? '';
  return [...section.matchAll(/^```\n([\s\S]*?)^```$/gm)].map(([, commands = '']) => commands);
}
async function byHand(id: string, commands: readonly string[]): Promise<string> {
  const script = commands
    .join('')
    .replaceAll('/opt/nodepad', directory)
    .replaceAll('20261122-1', id)
    .replaceAll('/media/key/identity.txt', identity);
  const { stdout, stderr, exitCode } = await host.exec(['bash', '-euo', 'pipefail', '-c', script]);
  expect(exitCode, stdout + stderr).toBe(0);
  return stdout;
}

test('recipients are set once; what is none of age is refused', async () => {
  expect((await backup('recipients')).json['recipients']).toEqual([]);
  // one of 32 recipients ends with a q itself
  const mistyped = `${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`;
  for (const wrong of ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ', mistyped, 'somebody'])
    expect(await backup('recipients', wrong)).toMatchObject({ exitCode: 2, json: { code: 'USAGE' } });
  expect((await backup('recipients')).json['recipients']).toEqual([]);
  expect(await backup('recipients', recipient)).toMatchObject({ exitCode: 0, json: { recipients: [recipient] } });
  expect((await backup('recipients')).json['recipients']).toEqual([recipient]);
});

test('an upgrade encrypts its backup and proves it without an identity; the plan names what it takes along', async () => {
  const plan = await airdock(host, ['plan', bundle, '--dir', directory]);
  expect(plan.json['backup']).toEqual({ proven: true, with: ['redis', 'volume storage'] });
  await succeed(host, ['install', bundle, '--dir', directory, '--yes']);
  expect((await backup('list')).json['backups']).toMatchObject([{ state: 'proven', encrypted: true, release: '0.2.4' }]);
});

let id: string;
let before: Awaited<ReturnType<typeof look>>;
test('without an identity nothing is said of it; with one it is proven', async () => {
  await seed(host, directory, { rows: 50 });
  await inside('redis', 'redis-cli', 'RPUSH', 'waiting', 'first', 'second');
  await inside('storage', 'sh', '-ec', 'echo object > /data/größe; chown 7:8 /data/größe; chmod 640 /data/größe');
  before = await look();
  const made = await backup('create');
  expect(made, made.stdout).toMatchObject({ exitCode: 0, json: { backup: { state: 'unproven', encrypted: true } } });
  ({ id } = made.json['backup'] as { id: string });
  for (const command of [
    ['verify', id],
    ['restore', id, '--yes'],
  ])
    expect(await backup(...command)).toMatchObject({ exitCode: 2, json: { code: 'IDENTITY_NEEDED' } });
  expect(await answering(host, directory)).toBe('0.3.0');
  expect((await backup('list')).json['backups']).toMatchObject([{ state: 'proven' }, { state: 'unproven' }]);
  expect(await backup('verify', id, '--identity', identity)).toMatchObject({
    exitCode: 0,
    json: { backup: { state: 'proven' } },
  });
});

test.each(cases([], ['backup restore']))('%s with it puts the database back; the queue stays', async () => {
  await psql(host, directory, 'nodepad', 'DELETE FROM attachments; DELETE FROM notes');
  const restored = await backup('restore', id, '--yes', '--identity', identity);
  expect(restored.exitCode, restored.stdout).toBe(0);
  expect(await look()).toEqual(before);
});

test('by hand, encrypted, with queue and volume: every command as the book prints it', async () => {
  await lose();
  expect(await byHand(id, await blocks())).toContain('dump.age: OK');
  await healthy(host, directory, '0.3.0');
  expect(await look()).toEqual(before);
  expect((await airdock(host, ['status', '--dir', directory])).exitCode).toBe(0);
  await psql(host, directory, 'postgres', 'DROP DATABASE nodepad_before');
});

test.each(cases([], ['not encrypted']))('by hand, %s: the same without the decryption', async () => {
  expect(await backup('recipients', '--none')).toMatchObject({ exitCode: 0, json: { recipients: [] } });
  const made = await backup('create');
  await lose();
  const commands = (await blocks()).filter((block) => !block.includes('age -d') && !block.includes('appendonlydir'));
  expect(commands).toHaveLength((await blocks()).length - 2);
  expect(await byHand((made.json['backup'] as { id: string }).id, commands)).toContain('dump: OK');
  await healthy(host, directory, '0.3.0');
  expect(await look()).toEqual({ ...before, queue: '' });
});
