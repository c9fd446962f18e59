// Back without a network: from the store, images pruned, the registry long gone. And drift: shown, never silently undone.
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/digest.ts';
import { airdock } from '../helpers/airdock.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, containerIds, opt, postNote } from '../helpers/deployment.ts';
import { fingerprint, sql, upgradedState } from '../helpers/pad.ts';
import { padBundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';

const directory = opt('pad');
let host: Host;
let releases: Awaited<ReturnType<typeof padBundles>>;
beforeAll(async () => {
  releases = await padBundles('1.0.0', '1.1.0');
  host = await startHost({ name: runName('vm') });
});
afterAll(() => host?.stop());

const at = (...args: string[]): string[] => [...args, '--dir', directory];
const edit = async (name: string, change: (text: string) => string): Promise<string> => {
  const text = change(await readFile(join(directory, name), 'utf8'));
  await writeFile(join(directory, name), text);
  return text;
};

describe('rollback', () => {
  beforeAll(() => upgradedState(host));

  test('of what is not kept is refused, and without --yes nothing happens', async () => {
    const unknown = await airdock(host, at('rollback', '0.1.0', '--yes'));
    expect([unknown.exitCode, unknown.json['code']]).toEqual([5, 'ROLLBACK_REFUSED']);
    const unasked = await airdock(host, at('rollback', '1.0.0'));
    expect([unasked.exitCode, unasked.json['code']]).toEqual([2, 'CONSENT_NEEDED']);
    expect(await answering(host, directory)).toBe('1.1.0');
    const elsewhere = await airdock(host, ['rollback', '--yes', '--dir', opt('nothing-here')]);
    expect([elsewhere.exitCode, elsewhere.json['code']]).toEqual([5, 'NOT_A_DEPLOYMENT']);
  });

  test('after image prune -a: 1.0.0 serves on the newer schema, rows written since stay, forward again', async () => {
    const id = await postNote(host, directory, 'written under 1.1.0');
    const rows = await fingerprint(host, directory);
    const { db, redis } = await containerIds(host, directory);
    await host.docker('image', 'prune', '-af');
    const back = await airdock(host, at('rollback', '--yes'));
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    expect(back.json).toMatchObject({ current: '1.0.0', from: '1.1.0', changed: true });
    expect(await answering(host, directory)).toBe('1.0.0');
    expect(await fingerprint(host, directory)).toBe(rows);
    expect(await sql(host, directory, `SELECT title FROM notes WHERE id = ${id}`)).toBe('written under 1.1.0');
    expect(await containerIds(host, directory)).toMatchObject({ db, redis });
    expect(await readFile(join(directory, '.env'), 'utf8')).toMatch(/^VERSION=1\.0\.0$/m);

    const again = await airdock(host, at('rollback', '1.0.0', '--yes'));
    expect(again.json).toMatchObject({ current: '1.0.0', changed: false });
    const forward = await airdock(host, at('rollback', '1.1.0', '--yes'));
    expect(forward.exitCode, forward.stdout).toBe(0);
    expect(await answering(host, directory)).toBe('1.1.0');
    expect(await fingerprint(host, directory)).toBe(rows);
    const { json } = await airdock(host, at('history'));
    expect(json['history']).toMatchObject([
      { kind: 'install', to: '1.0.0', outcome: 'done' },
      { kind: 'upgrade', from: '1.0.0', to: '1.1.0', class: 'expand', outcome: 'done', backup: expect.any(String) },
      { kind: 'rollback', from: '1.1.0', to: '1.0.0', outcome: 'done' },
      { kind: 'rollback', from: '1.0.0', to: '1.1.0', outcome: 'done' },
    ]);
  });
});

describe('a stored blob that rotted', () => {
  /** A layer that 1.0.0 has and 1.1.0 has not. */
  const layer = (): string => {
    const records = new DatabaseSync(join(directory, '.airdock/state.db'), { readOnly: true });
    const layersOf = (version: string): string[] => {
      const row = records.prepare('SELECT manifest FROM releases WHERE version = ?').get(version);
      const { images } = JSON.parse(String(row?.['manifest'])) as { images: { layers: { digest: string }[] }[] };
      return images.flatMap(({ layers }) => layers.map(({ digest }) => digest));
    };
    const found = layersOf('1.0.0').find((digest) => !layersOf('1.1.0').includes(digest)) ?? '';
    records.close();
    return found;
  };

  test('is found before the engine has it, and users are served; a bundle that has it puts it back', async () => {
    await upgradedState(host);
    await host.docker('image', 'prune', '-af');
    const digest = layer();
    const blob = join(directory, '.airdock/blobs/sha256', digest.slice(7));
    const bytes = await readFile(blob);
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    await rm(blob); // the base state has the same file
    await writeFile(blob, bytes);
    expect(await airdock(host, at('rollback', '--yes'))).toMatchObject({
      exitCode: 4,
      json: { code: 'STORE_CORRUPT', hint: expect.stringContaining('--bundle FILE') as string },
    });
    expect(await answering(host, directory)).toBe('1.1.0');
    const back = await airdock(host, at('rollback', '--yes', '--bundle', releases.path('1.0.0')));
    expect(back.exitCode, back.stdout).toBe(0);
    expect(back.stderr).toContain(`${digest} was damaged`);
    expect(await answering(host, directory)).toBe('1.0.0');
    expect(digestOf(await readFile(blob))).toBe(digest);
  });
});

describe('drift', () => {
  beforeAll(() => upgradedState(host));

  test('VERSION edited by hand', async () => {
    const before = await readFile(join(directory, '.env'), 'utf8');
    const edited = await edit('.env', (text) => text.replace(/^VERSION=.*$/m, 'VERSION=1.0.0'));
    const status = await airdock(host, at('status'));
    expect(status.exitCode).toBe(5);
    expect(status.json['drift']).toMatchObject([{ what: '.env', text: expect.stringContaining('1.0.0') }]);
    const refused = await airdock(host, at('rollback', '--yes'));
    expect([refused.exitCode, refused.json['code']]).toEqual([5, 'DRIFT']);
    expect(await readFile(join(directory, '.env'), 'utf8')).toBe(edited);
    expect(await answering(host, directory)).toBe('1.1.0');
    await writeFile(join(directory, '.env'), before);
  });

  test('compose.yaml edited by hand: status says so and exits 5, nothing runs over it, --discard-local keeps a copy', async () => {
    expect((await airdock(host, at('status'))).exitCode).toBe(0);
    await appendFile(join(directory, 'compose.yaml'), '\n# mine\n');
    const edited = await readFile(join(directory, 'compose.yaml'), 'utf8');
    const status = await airdock(host, at('status'));
    expect(status.exitCode).toBe(5);
    expect(status.json['drift']).toMatchObject([{ what: 'compose.yaml' }]);
    const refused = await airdock(host, at('rollback', '--yes'));
    expect([refused.exitCode, refused.json['code']]).toEqual([5, 'DRIFT']);
    expect(await readFile(join(directory, 'compose.yaml'), 'utf8')).toBe(edited);
    expect(await answering(host, directory)).toBe('1.1.0');
    const done = await airdock(host, at('rollback', '--yes', '--discard-local'));
    expect(done.exitCode, done.stdout).toBe(0);
    expect(await answering(host, directory)).toBe('1.0.0');
    expect(await readFile(join(directory, 'compose.yaml.local-1'), 'utf8')).toBe(edited);
  });
});
