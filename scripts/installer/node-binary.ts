import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** The Node that becomes part of the executable, without its symbols. */

export type Arch = 'x64' | 'arm64';
export type NodeBinary = { version: string; path: string; license: string };

const strips: Record<Arch, string> = { x64: 'x86_64-linux-gnu-strip', arm64: 'aarch64-linux-gnu-strip' };

/** @param cache where unpacked and stripped binaries are kept, by version */
export async function nodeBinary(root: string, arch: Arch, cache: string): Promise<NodeBinary> {
  const { version, integrity } = await locked(root, arch);
  const installed = join(root, 'node_modules', `node-linux-${arch}`);
  const folder = existsSync(installed) ? installed : await unpacked(arch, version, integrity, cache);
  const path = join(cache, `node-${version}-${arch}`);
  if (!existsSync(path)) {
    await mkdir(cache, { recursive: true });
    await execa(strips[arch], ['-o', `${path}.new`, join(folder, 'bin/node')]);
    await rename(`${path}.new`, path);
  }
  return { version, path, license: await readFile(join(folder, 'LICENSE'), 'utf8') };
}

async function locked(root: string, arch: Arch): Promise<{ version: string; integrity: string }> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  const found = lock.packages[`node_modules/node-linux-${arch}`];
  if (!found) throw new Error(`package-lock.json has no node-linux-${arch}`);
  return found;
}

/** npm installs only the Node of this architecture, so the other is fetched and compared with the lock file. */
async function unpacked(arch: Arch, version: string, integrity: string, cache: string): Promise<string> {
  const folder = join(cache, `node-linux-${arch}-${version}`);
  if (existsSync(folder)) return join(folder, 'package');
  await rm(`${folder}.new`, { recursive: true, force: true });
  await mkdir(`${folder}.new`, { recursive: true });
  const { stdout } = await execa('npm', ['pack', '--silent', `node-linux-${arch}@${version}`], { cwd: `${folder}.new` });
  const archive = join(`${folder}.new`, stdout.trim());
  const found = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (found !== integrity) throw new Error(`node-linux-${arch} ${version} is ${found}, the lock file says ${integrity}`);
  await execa('tar', ['-xzf', archive, '-C', `${folder}.new`, 'package/bin/node', 'package/LICENSE']);
  await rm(archive);
  await rename(`${folder}.new`, folder);
  return join(folder, 'package');
}
