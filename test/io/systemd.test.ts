// The unit that runs `airdock resume` at boot, on a root of its own: PID 1 is not systemd here, its tools are real.
import { chmod, lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resumeAtBoot, resumeUnit } from '../../src/vm/site/boot.ts';
import { openSystemd } from '../../src/io/systemd.ts';
import { run } from '../../src/io/process.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

let root: Awaited<ReturnType<typeof temporaryFolder>>;
let directory: string;
const warnings: string[] = [];
const units = () => root.file('etc/systemd/system');
const wants = () => readdir(join(units(), 'multi-user.target.wants')).catch(() => []);
const site = (executable: string | undefined = '/airdock') => ({
  directory,
  airdock: join(directory, '.airdock'),
  host: {
    program: { executable },
    systemd: openSystemd(run, root.path),
    listener: (event: { type: string; text?: string }) => event.type === 'warning' && warnings.push(event.text ?? ''),
  } as unknown as Parameters<typeof resumeAtBoot>[0]['host'],
});

beforeEach(async () => {
  root = await temporaryFolder();
  warnings.length = 0;
  await mkdir(root.file('run/systemd/system'), { recursive: true });
  await mkdir(units(), { recursive: true });
  directory = root.file('node-pad, Büro');
  await mkdir(join(directory, '.airdock/bin'), { recursive: true });
});
afterEach(() => root[Symbol.asyncDispose]());

const asRoot = process.getuid?.() === 0;

test.runIf(asRoot)('is enabled once for a directory, whatever it is called; who disables it is not overruled', async () => {
  await resumeAtBoot(site());
  const { stdout: instance } = await execa('systemd-escape', ['--path', '--template=airdock-resume@.service', directory]);
  expect(await wants()).toEqual([instance]);
  expect(await readlink(join(units(), 'multi-user.target.wants', instance))).toBe('/etc/systemd/system/airdock-resume@.service');
  expect(await readFile(join(units(), 'airdock-resume@.service'), 'utf8')).toBe(resumeUnit.text);
  expect((await lstat(join(units(), 'airdock-resume@.service'))).mode & 0o777).toBe(0o644);
  expect(await readFile(join(directory, '.airdock/boot-unit'), 'utf8')).toBe(`${instance}\n`);
  await execa('systemctl', [`--root=${root.path}`, 'disable', instance]);
  await resumeAtBoot(site());
  expect(await wants()).toEqual([]);
  expect(warnings).toEqual([]);
});

test.runIf(asRoot)('systemd takes it as it is', async () => {
  await writeFile(join(directory, '.airdock/bin/airdock'), '#!/bin/sh\n');
  await chmod(join(directory, '.airdock/bin/airdock'), 0o755);
  await writeFile(join(units(), resumeUnit.name), resumeUnit.text);
  const { stdout: instance } = await execa('systemd-escape', ['--path', '--template=airdock-resume@.service', directory]);
  await symlink(resumeUnit.name, join(units(), instance));
  const checked = await execa('systemd-analyze', ['verify', '--man=no', join(units(), instance)], { reject: false });
  expect(checked.stderr.split('\n').filter((line) => line.includes('airdock'))).toEqual([]);
  const broken = resumeUnit.text.replace('Type=oneshot', 'Type=once').replace('%f/.airdock/bin', '%f/elsewhere');
  await writeFile(join(units(), resumeUnit.name), broken);
  const refused = await execa('systemd-analyze', ['verify', '--man=no', join(units(), instance)], { reject: false });
  expect(refused.stderr).toContain('airdock');
});

test.runIf(asRoot)('there is none without systemd, or for a program of a checkout', async () => {
  await resumeAtBoot({ ...site(), host: { ...site().host, program: {} as never } });
  await rm(root.file('run'), { recursive: true });
  await resumeAtBoot(site());
  expect(await readdir(units())).toEqual([]);
  expect(warnings).toEqual([]);
});

test.runIf(asRoot)('a failure is a warning, and it is tried again', async () => {
  await rm(units(), { recursive: true });
  await writeFile(units(), 'a file in its place');
  await resumeAtBoot(site());
  expect(warnings).toEqual([expect.stringContaining('airdock resume will not run by itself at boot')]);
  await rm(units());
  await mkdir(units());
  await resumeAtBoot(site());
  expect(await wants()).toHaveLength(1);
});
