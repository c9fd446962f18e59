import { mkdtemp, readFile, rm, writeFile, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Host } from '../../../src/vm/site/host.ts';
import { assertUnedited, removeSnapshots, writeSnapshot, saveSnapshots } from '../../../src/vm/staging/switch-files.ts';
import { snapshotFolder } from '../../../src/vm/state/names.ts';

let place: { directory: string; airdock: string };
const file = (name: string): string => path.join(place.directory, name);
const text = (name: string): Promise<string> => readFile(file(name), 'utf8');
const after = { compose: Buffer.from('services: {new: {}}\n'), env: Buffer.from('# mine\r\nVERSION=0.3.0\r\nNEW=1') };

beforeEach(async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'airdock-switch-'));
  place = { directory, airdock: path.join(directory, '.airdock') };
  await writeFile(file('compose.yaml'), 'services: {old: {}}\n');
  await writeFile(file('.env'), '# mine\r\nVERSION=0.2.4', { mode: 0o640 });
});
afterEach(() => rm(place.directory, { recursive: true, force: true }));

describe('compose.yaml and .env, before and after a transaction', () => {
  test('go forward and back byte for byte, as often as one likes, with the mode of the operator’s file', async () => {
    await saveSnapshots(place, 7, after);
    for (let round = 0; round < 2; round++) {
      await writeSnapshot(place, 7, 'after');
      expect([await text('compose.yaml'), await text('.env')]).toEqual([after.compose.toString(), after.env.toString()]);
      await writeSnapshot(place, 7, 'after');
      await writeSnapshot(place, 7, 'before');
      expect([await text('compose.yaml'), await text('.env')]).toEqual(['services: {old: {}}\n', '# mine\r\nVERSION=0.2.4']);
    }
    expect((await stat(file('.env'))).mode & 0o777).toBe(0o640);
  });
  test('an .env that was edited meanwhile keeps the edit; only VERSION is set', async () => {
    await saveSnapshots(place, 7, after);
    await writeSnapshot(place, 7, 'after');
    await writeFile(file('.env'), '# mine\r\nVERSION=0.3.0\r\nNEW=1\r\nMINE=2');
    await writeSnapshot(place, 7, 'before');
    expect(await text('.env')).toBe('# mine\r\nVERSION=0.2.4\r\nNEW=1\r\nMINE=2');
  });
  test('secrets that were generated stay when asked to', async () => {
    await saveSnapshots(place, 7, after);
    await writeSnapshot(place, 7, 'after');
    await writeSnapshot(place, 7, 'before', true);
    expect(await text('.env')).toBe('# mine\r\nVERSION=0.2.4\r\nNEW=1');
  });
  test('a first install that is undone removes compose.yaml and keeps .env', async () => {
    await rm(file('compose.yaml'));
    await rm(file('.env'));
    await saveSnapshots(place, 7, after);
    await writeSnapshot(place, 7, 'after');
    await writeSnapshot(place, 7, 'before');
    expect(existsSync(file('compose.yaml'))).toBe(false);
    expect(await text('.env')).toBe(after.env.toString());
  });
  test.each(['compose.yaml', '.env'])('an edit of %s between the start and the switch is noticed', async (name) => {
    await saveSnapshots(place, 7, after);
    await assertUnedited(place, 7);
    await writeFile(file(name), 'edited');
    await expect(assertUnedited(place, 7)).rejects.toMatchObject({ code: 'STEP_FAILED' });
    expect(await text(name)).toBe('edited');
  });
  test('the saved files are readable by their owner alone, and are gone afterwards', async () => {
    await saveSnapshots(place, 7, after);
    expect((await stat(path.join(snapshotFolder(place, 7, 'after'), '.env'))).mode & 0o777).toBe(0o600);
    await removeSnapshots({ ...place, host: { listener: () => {} } as unknown as Host }, 7);
    expect(existsSync(snapshotFolder(place, 7, 'before')) || existsSync(snapshotFolder(place, 7, 'after'))).toBe(false);
  });
});
