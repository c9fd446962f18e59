import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { licensesText } from '../../scripts/installer/licenses.ts';
import { temporaryFolder } from '../helpers/bundle.ts';

const node = { version: '26.0.0', license: 'the terms of Node' };

async function textOf(packages: Record<string, { manifest: object; files?: Record<string, string> }>): Promise<string> {
  await using folder = await temporaryFolder();
  await writeFile(folder.file('LICENSE'), 'Apache License');
  const modules: string[] = [folder.file('src/main.ts')];
  for (const [name, { manifest, files = {} }] of Object.entries(packages)) {
    const place = folder.file(`node_modules/${name}`);
    await mkdir(place, { recursive: true });
    for (const [file, text] of Object.entries({
      ...files,
      'package.json': JSON.stringify({ name, version: '1.0.0', ...manifest }),
    }))
      await writeFile(join(place, file), text);
    modules.push(join(place, 'lib/index.js'));
  }
  return await licensesText(folder.path, modules, node);
}

test('airdock, Node and every package, each with its text', async () => {
  const text = await textOf({
    a: { manifest: { license: 'MIT' }, files: { 'LICENSE.md': 'terms of a' } },
    '@scope/b': { manifest: { license: 'BSD-3-Clause' }, files: { 'README.md': '# b\n\n## License\n\nterms of b\n' } },
    c: { manifest: { license: 'ISC', author: 'Ada' } },
  });
  for (const part of [
    'a 1.0.0: MIT',
    '@scope/b 1.0.0: BSD-3-Clause',
    'terms of a',
    'terms of b',
    'Copyright (c) Ada',
    'the terms of Node',
  ])
    expect(text).toContain(part);
});

test('a licence that nobody has looked at ends the build', async () => {
  const made = textOf({ d: { manifest: { license: 'SSPL-1.0' }, files: { LICENSE: 'terms' } } });
  await expect(made).rejects.toThrow('d 1.0.0: SSPL-1.0 is not a known licence');
});

test('a package without a text ends the build', async () => {
  await expect(textOf({ e: { manifest: { license: 'MIT', author: 'Bob' } } })).rejects.toThrow('e 1.0.0: it has no licence text');
});
