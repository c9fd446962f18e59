import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askVersion } from '../../../src/cli/host.ts';
import { digestOf } from '../../../src/digest.ts';
import type { ProgressEvent } from '../../../src/events.ts';
import { settleInstaller, unpackInstaller } from '../../../src/vm/site/installer.ts';
import { copyNeeds, placeSelf } from '../../../src/vm/site/placed-program.ts';
import { migrations } from '../../../src/vm/state/schema.ts';
import type { ManagedSite } from '../../../src/vm/site/site.ts';
import { openState } from '../../../src/vm/state/open-state.ts';
import { openStore } from '../../../src/vm/store/store.ts';
import { run } from '../../../src/io/process.ts';
import { makeRelease, temporaryFolder } from '../../helpers/bundle.ts';

// Programs here are scripts that answer `--version --json` as airdock does.
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let site: ManagedSite;
let events: ProgressEvent[];
const place = (): string => path.join(site.airdock, 'bin/airdock');

beforeEach(async () => {
  folder = await temporaryFolder();
  const airdock = folder.file('.airdock');
  await mkdir(airdock, { mode: 0o700 });
  events = [];
  const host = { listener: (event: ProgressEvent) => void events.push(event) } as unknown as ManagedSite['host'];
  site = {
    directory: folder.path,
    airdock,
    host,
    store: await openStore(airdock),
    state: openState(airdock, '1.0.0'),
  } as ManagedSite;
  await runs('1.0.0');
});
afterEach(async () => {
  site.state.close();
  await folder[Symbol.asyncDispose]();
});

function program(version: string, stateSchema = migrations.length): string {
  const answer = { schema: 'airdock.version/1', version, revision: '', node: '26.0.0', executable: null, stateSchema };
  return `#!/bin/sh\n[ "$*" = '--version --json' ] && echo '${JSON.stringify(answer)}'\n`;
}
/** That version is the running program. */
async function runs(version: string): Promise<void> {
  await writeFile(folder.file('running'), program(version), { mode: 0o755 });
  const executable = folder.file('running');
  Object.assign(site.host, { program: { version, executable, versionsOf: (file: string) => askVersion(run, file) } });
}
async function lies(text: string): Promise<void> {
  await mkdir(path.dirname(place()), { recursive: true });
  await writeFile(place(), text);
  await chmod(place(), 0o700);
}
const whatLies = (): Promise<string> => readFile(place(), 'utf8');

describe('rule 1: a program that changes something is put in place', () => {
  test('a copy of the running program, for its owner only', async () => {
    await placeSelf(site);
    expect(await whatLies()).toBe(program('1.0.0'));
    expect((await lstat(place())).mode & 0o777).toBe(0o700);
    expect((await lstat(path.dirname(place()))).mode & 0o777).toBe(0o700);
    expect(await readdir(path.dirname(place()))).toEqual(['airdock']);
  });

  test.each([
    ['an older one is replaced', '0.9.0', '1.0.0'],
    ['another of the same version is replaced', '1.0.0', '1.0.0'],
    ['a newer one stays', '1.1.0', '1.1.0'],
  ])('%s', async (_what, there, expected) => {
    await lies(`${program(there)}# other bytes\n`);
    await placeSelf(site);
    expect(await whatLies()).toBe(
      expected === there && there !== '1.0.0' ? `${program(there)}# other bytes\n` : program(expected),
    );
  });

  test('one that knows newer records stays; one that does not run is replaced', async () => {
    await lies(program('0.9.0', migrations.length + 1));
    await placeSelf(site);
    expect(await whatLies()).toBe(program('0.9.0', migrations.length + 1));
    await lies('\x7fELF of another machine');
    await placeSelf(site);
    expect(await whatLies()).toBe(program('1.0.0'));
  });

  test('one of a higher version that does not know these records is replaced', async () => {
    await lies(program('9.0.0', migrations.length - 1));
    await placeSelf(site);
    expect(await whatLies()).toBe(program('1.0.0'));
  });

  test('one that answers more than is asked is understood', async () => {
    const answer = JSON.stringify({ version: '2.0.0', stateSchema: migrations.length, news: true });
    await lies(`#!/bin/sh\necho '${answer}'\n`);
    await placeSelf(site);
    expect(await whatLies()).toContain('news');
  });

  test('a half-written file of a killed run is no obstacle', async () => {
    await lies(program('0.9.0'));
    await writeFile(`${place()}.new`, 'half');
    await placeSelf(site);
    expect(await readdir(path.dirname(place()))).toEqual(['airdock']);
  });

  test('a link in its place is replaced, never followed; a link in place of bin is refused', async () => {
    await mkdir(path.dirname(place()));
    await writeFile(folder.file('victim'), 'untouched');
    await symlink(folder.file('victim'), place());
    await placeSelf(site);
    expect((await lstat(place())).isFile()).toBe(true);
    expect(await readFile(folder.file('victim'), 'utf8')).toBe('untouched');

    await using other = await temporaryFolder();
    await mkdir(other.file('elsewhere'));
    await symlink(other.file('elsewhere'), other.file('bin'));
    await expect(placeSelf({ ...site, airdock: other.path })).rejects.toMatchObject({ code: 'DIRECTORY_UNSAFE' });
    expect(await readdir(other.file('elsewhere'))).toEqual([]);
  });

  test('one that others can write to is not even run, and replaced; in a bin that they can write to, nothing is done', async () => {
    await lies(`#!/bin/sh\ntouch ${folder.file('was-run')}\n`);
    await chmod(place(), 0o777);
    await placeSelf(site);
    expect(await whatLies()).toBe(program('1.0.0'));
    expect(existsSync(folder.file('was-run'))).toBe(false);

    await lies(`#!/bin/sh\ntouch ${folder.file('was-run')}\n`);
    await chmod(path.dirname(place()), 0o777);
    await expect(placeSelf(site)).rejects.toMatchObject({ code: 'DIRECTORY_UNSAFE' });
    expect(existsSync(folder.file('was-run'))).toBe(false);
    expect(await whatLies()).toContain('was-run');
  });

  test('one that does not answer in time may be a newer one: nothing is replaced, and that is an error', async () => {
    await lies('#!/bin/sh\nexec sleep 60\n');
    Object.assign(site.host.program, { versionsOf: (file: string) => askVersion(run, file, 200) });
    await expect(placeSelf(site)).rejects.toMatchObject({
      code: 'PREFLIGHT_FAILED',
      message: expect.stringContaining('did not answer within 0.2 s'),
      hint: expect.stringContaining(`rm ${place()}`),
    });
    expect(await whatLies()).toContain('sleep');
    expect(await readdir(path.dirname(place()))).toEqual(['airdock']);
  });

  test('the size to write is known before', async () => {
    expect(await copyNeeds(site)).toBe(program('1.0.0').length);
    await placeSelf(site);
    expect(await copyNeeds(site)).toBe(0);
  });

  test('a checkout has no executable to put in place', async () => {
    Object.assign(site.host.program, { executable: undefined });
    await placeSelf(site);
    await expect(lstat(place())).rejects.toThrow('ENOENT');
  });
});

describe('rule 2: a release brings its installer', () => {
  const inStore = async (text: string): Promise<ReturnType<typeof digestOf>> => {
    const gzip = gzipSync(text);
    await site.store.putBlob(
      digestOf(gzip),
      gzip.length,
      (async function* () {
        yield gzip;
      })(),
    );
    return digestOf(gzip);
  };
  const brings = async (text: string): Promise<void> => {
    await unpackInstaller(site, 7, await inStore(text));
  };
  const unpacked = (): string => path.join(site.airdock, 'transactions/7/after/airdock');

  test('not before the transaction is good', async () => {
    await placeSelf(site);
    await brings(program('1.1.0'));
    expect(await whatLies()).toBe(program('1.0.0'));
    await settleInstaller(site, 7);
    expect(await whatLies()).toBe(program('1.1.0'));
    expect((await lstat(place())).mode & 0o777).toBe(0o700);
    await settleInstaller(site, 7); // as recovery would
    expect(await whatLies()).toBe(program('1.1.0'));
  });

  test('not over a newer one that took the transaction over meanwhile', async () => {
    await placeSelf(site);
    await brings(program('1.1.0'));
    await lies(program('1.2.0'));
    await settleInstaller(site, 7);
    expect(await whatLies()).toBe(program('1.2.0'));
  });

  test('without a program in place: it is put there', async () => {
    await brings(program('0.5.0'));
    await settleInstaller(site, 7);
    expect(await whatLies()).toBe(program('0.5.0'));
  });

  test.each([
    ['an older one', program('0.9.0')],
    ['one that does not know these records', program('1.1.0', migrations.length - 1)],
    ['one that does not run here', '\x7fELF of another machine'],
  ])('%s is kept in the store, not used, and that is said', async (_what, text) => {
    await placeSelf(site);
    await brings(text);
    await settleInstaller(site, 7);
    expect(await whatLies()).toBe(program('1.0.0'));
    expect(events).toMatchObject([{ type: 'note', text: expect.stringContaining('not used') }]);
    await expect(lstat(unpacked())).rejects.toThrow('ENOENT');
  });

  test('the same as lies there is not unpacked; a record of it is not enough', async () => {
    await placeSelf(site);
    await brings(program('1.0.0'));
    await expect(lstat(unpacked())).rejects.toThrow('ENOENT');
    expect(events).toEqual([]);
    const { manifest } = makeRelease({ files: { 'bin/airdock-linux-x64.gz': gzipSync(program('1.0.0')) } });
    site.state.createDeployment({ product: 'shop', project: 'shop', endpoint: 'unix:///x' });
    site.state.putRelease({ version: '0.3.0', origin: 'bundle', manifest, storedAt: '2026-11-25T00:00:00Z' });
    site.state.updateDeployment({ current: '0.3.0' });
    await lies(program('0.9.0'));
    await brings(program('1.0.0'));
    await settleInstaller(site, 7);
    expect(await whatLies()).toBe(program('1.0.0'));
  });

  test('a damaged one in the store: refused, nothing left, what lies there stays', async () => {
    await placeSelf(site);
    const digest = await inStore(program('1.1.0'));
    await writeFile(path.join(site.airdock, 'blobs/sha256', digest.slice(7)), gzipSync(program('6.6.6')));
    await expect(unpackInstaller(site, 7, digest)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    await settleInstaller(site, 7);
    expect(await whatLies()).toBe(program('1.0.0'));
    await expect(lstat(unpacked())).rejects.toThrow('ENOENT');
  });
});
