import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The licences of everything in the executable; an unknown licence ends the build. */

const known = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'];

type Package = { name: string; version: string; license: string; text: string };

/**
 * @param modules absolute paths of the files that the bundler included
 * @param nodeLicense Node's own file, which includes the licences of V8, OpenSSL, ICU, SQLite and others
 * @throws naming each package whose licence is unknown or has no text
 */
export async function licensesText(
  root: string,
  modules: readonly string[],
  node: { version: string; license: string },
): Promise<string> {
  const folders = new Set(modules.filter((path) => path.includes('/node_modules/')).map(packageFolder));
  const packages = await Promise.all([...folders].map(readPackage));
  const problems = packages.flatMap(problemsOf);
  if (problems.length > 0) throw new Error(`licences:\n${problems.join('\n')}`);
  const sorted = packages.toSorted((a, b) => `${a.name} ${a.version}`.localeCompare(`${b.name} ${b.version}`, 'en'));
  const own = await readFile(join(root, 'LICENSE'), 'utf8');
  return [
    'airdock is one file. These are in it, each under its own licence:\n',
    `  airdock: Apache-2.0\n  node ${node.version}: MIT and others, below`,
    ...sorted.map(({ name, version, license }) => `  ${name} ${version}: ${license}`),
    section('airdock', own),
    ...sorted.map(({ name, version, text }) => section(`${name} ${version}`, text)),
    section(`node ${node.version}`, node.license),
  ].join('\n');
}

function section(title: string, text: string): string {
  return `\n${'='.repeat(80)}\n${title}\n${'='.repeat(80)}\n\n${text.replaceAll('\r\n', '\n').trim()}\n`;
}

function packageFolder(module: string): string {
  const [, path] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module) ?? [];
  if (path === undefined) throw new Error(`${module} is in no package`);
  return path;
}

async function readPackage(folder: string): Promise<Package> {
  const { name, version, license, author } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const files = await readdir(folder);
  const read = async (pattern: RegExp): Promise<string> => {
    const file = files.find((entry) => pattern.test(entry));
    return file === undefined ? '' : readFile(join(folder, file), 'utf8');
  };
  const text =
    (await read(/^(licen[cs]e|copying)/i)) ||
    (/^#+ *licen[cs]e\s*$([^]*)/im.exec(await read(/^readme/i))?.[1] ?? '').trim() ||
    (license === 'ISC' && typeof author === 'string' ? isc(author) : '');
  return { name: String(name), version: String(version), license: String(license), text };
}

/** The licence as SPDX has it, for a package that declares it and ships no text. */
function isc(author: string): string {
  return `Copyright (c) ${author}

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED
WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR
CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF
CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`;
}

function problemsOf({ name, version, license, text }: Package): string[] {
  return [
    ...(known.includes(license) ? [] : [`  ${name} ${version}: ${license} is not a known licence`]),
    ...(text.trim() === '' ? [`  ${name} ${version}: it has no licence text`] : []),
  ];
}
