import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import * as airdock from '../../src/index.ts';
import { loadConfig, publicValues } from '../../src/build/load-config.ts';
import { resolvePlaceholders } from '../../src/build/placeholders.ts';
import { parseSize } from '../../src/build/size.ts';
import { temporaryFolder } from '../helpers/bundle.ts';
import { configText } from '../helpers/release-folder.ts';

async function load(text: string) {
  await using folder = await temporaryFolder();
  const path = folder.file('bundle.config.ts');
  await writeFile(path, text);
  return { path, loaded: loadConfig(path, '0.3.0') };
}

async function failure(text: string): Promise<{ code: string; message: string; exitCode: number }> {
  return load(text).then(
    () => {
      throw new Error('it was accepted');
    },
    (error: { code: string; message: string; exitCode: number }) => error,
  );
}

test('a configuration in TypeScript; ${version} is resolved, compose interpolation stays', async () => {
  const { loaded } = await load(configText().replace(':port/', ':${PORT:-80}/'));
  expect(loaded.config.product).toBe('shop');
  expect(loaded.config.health[0]).toMatchObject({ url: 'http://127.0.0.1:${PORT:-80}/health', json: { version: '0.3.0' } });
});

test('an unknown key: file, line and key path; all problems at once', async () => {
  const text = configText()
    .replace("service: 'db',", "service: 'db', pasword: 'X',")
    .replace("traffic: ['web'],", "traffic: ['web'],\n  trafic: [],");
  const { code, message, exitCode } = await failure(text);
  const line = text.split('\n').findIndex((content) => content.includes('trafic')) + 1;
  expect({ code, exitCode }).toEqual({ code: 'CONFIG_INVALID', exitCode: 3 });
  expect(message).toContain(`bundle.config.ts:${line} trafic: unknown key`);
  expect(message.split('\n')).toHaveLength(2);
  expect(message).toMatch(/database.*pasword/i);
});

test('a key with a wrong value, in a list', async () => {
  const { message } = await failure(configText().replace("window: '2s'", "window: 'soon'"));
  expect(message).toMatch(/bundle\.config\.ts:\d+ health\[0\]\.window: a duration/);
});

test('a missing key', async () => {
  expect((await failure(configText().replace(/writers: .*\n/, ''))).message).toMatch(/writers: .*(missing|expected)/);
});

test('a file that does not compile: the line of it', async () => {
  const { code, message, exitCode } = await failure(configText().replace("product: 'shop',", "product: 'shop',\n  ]"));
  expect({ code, exitCode }).toEqual({ code: 'CONFIG_NOT_LOADABLE', exitCode: 3 });
  expect(message).toMatch(/bundle\.config\.ts:\d+ cannot be loaded/);
});

test('a file that throws: the line of it', async () => {
  const { code, message } = await failure("const a = 1;\nthrow new Error('no ' + a);\nexport default {};\n");
  expect(code).toBe('CONFIG_NOT_LOADABLE');
  expect(message).toMatch(/bundle\.config\.ts:2 cannot be loaded: no 1/);
});

test('no default export, and an import of something that is not there', async () => {
  expect(await failure('export const config = {};\n')).toMatchObject({ code: 'CONFIG_NOT_LOADABLE' });
  expect(await failure("import x from 'not-there';\nexport default x;\n")).toMatchObject({
    code: 'CONFIG_NOT_LOADABLE',
    message: expect.stringContaining('not-there'),
  });
});

test('no file', () => {
  expect(() => loadConfig('/nonexistent/bundle.config.ts', '1.0.0')).toThrowError(
    expect.objectContaining({ code: 'FILE_NOT_FOUND' }),
  );
});

test('placeholders: in any string, nothing but the version', () => {
  expect(
    resolvePlaceholders({ a: ['v${version}', '${VERSION}', '$version'], b: 1, c: { d: '${version}${version}' } }, '1.0.0'),
  ).toEqual({
    a: ['v1.0.0', '${VERSION}', '$version'],
    b: 1,
    c: { d: '1.0.01.0.0' },
  });
});

test('sizes', () => {
  expect([parseSize(5, ''), parseSize('2GiB', ''), parseSize('1.5 MB', ''), parseSize('10B', '')]).toEqual([
    5,
    2 ** 31,
    1_500_000,
    10,
  ]);
  expect(() => parseSize('2 gigs', 'requires.disk')).toThrowError(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});

test("import from 'airdock' gives what the package exports, and the running program's own", async () => {
  expect(Object.keys(publicValues).toSorted()).toEqual(Object.keys(airdock).toSorted());
  const { loaded } = await load(
    `import { AirdockError } from 'airdock';\nif (AirdockError !== globalThis.testedError) throw new Error('another');\n${configText()}`,
  ).catch((error: unknown) => ({ loaded: String(error) }));
  expect(loaded).toContain('another');
  Object.assign(globalThis, { testedError: airdock.AirdockError });
  expect(
    (
      await load(
        `import { AirdockError } from 'airdock';\nif (AirdockError !== globalThis.testedError) throw new Error('another');\n${configText()}`,
      )
    ).loaded,
  ).toMatchObject({ config: { product: 'shop' } });
});
