import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseEnvFile } from '../../src/vm/env/file.ts';
import { run } from '../../src/io/process.ts';
import { composeConfigs } from '../helpers/compose-plugin.ts';

/** The reader of `.env` against the one whose opinion counts, in each compose version of the tests. */

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airdock-env-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function asComposeReads(config: string, bytes: Buffer, keys: string[]): Promise<Record<string, string> | string> {
  const compose = {
    services: { s: { image: 'x', environment: Object.fromEntries(keys.map((key) => [key, `\${${key}-absent}`])) } },
  };
  await writeFile(join(directory, 'compose.yaml'), JSON.stringify(compose));
  await writeFile(join(directory, 'env'), bytes);
  const args = [
    'compose',
    '--env-file',
    join(directory, 'env'),
    '--file',
    join(directory, 'compose.yaml'),
    'config',
    '--format',
    'json',
  ];
  const answer = await run('docker', args, { env: { DOCKER_CONFIG: config } });
  if (answer.exitCode !== 0) return answer.stderr;
  const model = JSON.parse(answer.stdout) as { services: { s: { environment: Record<string, string> } } };
  // config writes what compose would read again
  return Object.fromEntries(
    Object.entries(model.services.s.environment).map(([key, value]) => [key, value.replaceAll('$$', '$')]),
  );
}

const odd = [
  'A=1\r\nB=2\r\n',
  'A=1\nB=no newline',
  'A= spaces around \nB=\ttab\t\n',
  'A=x # comment\nB=x#none\nC= # only\nD=#hash\n',
  `A='single # not a comment'\nB="double # neither" # comment\nC='with "double"'\nD="with 'single'"\n`,
  String.raw`A="esc \" \\ \n \t \q"` + '\n' + String.raw`B='esc \' \\ \n'` + '\n' + String.raw`C=esc\n\\` + '\n',
  'A="two\nlines"\nB=after\n',
  "A='two\r\nlines'\r\nB=after\r\n",
  'export A=1\nexport  B = 2\n',
  'A: yaml\nB:2\n',
  'A=\nB=\n',
  '\ufeffA=bom\nB=x\n',
  '  A=indented\n\tB=x\n',
  'A=grün\nB="naïve ü"\n',
  'A=first\nB=x\nA=last\n',
  'A=a=b=c\nB=x:y\n',
  'A="quoted"\nB="x" # c\n# A=no\n',
  'A.B=1\nB-C=2\nA=3\nB=4\n',
  String.raw`A="octal \0101 \$x"` + '\nB=x\n',
  'A=\'\'\nB=""\n',
  "A=it's\nB=x\n",
  'A=x\nB\n',
  'A=\n\n\nB=x',
  'A=   \nB=x\n',
];

describe.each(composeConfigs())('compose %s', (_version, config) => {
  test.each(odd)('reads %j as we do', async (text) => {
    const file = parseEnvFile(text);
    const keys = ['A', 'B', 'C', 'D'];
    const compose = await asComposeReads(config, Buffer.from(text), keys);
    expect(Object.fromEntries(keys.map((key) => [key, file.get(key) ?? 'absent']))).toEqual(compose);
  });

  test.each(['A="open\nB=x\n', 'A=1\nB C=2\n', 'A=1\nB!=2\n', "A='x\n"])('refuses %j as we do', async (text) => {
    expect(() => parseEnvFile(text)).toThrow(/^\.env line \d/);
    expect(await asComposeReads(config, Buffer.from(text), ['A'])).toBeTypeOf('string');
  });

  test('reads every value that we write, in each quoting style', async () => {
    const piece = fc.constantFrom(
      '$',
      '"',
      "'",
      '\\',
      ' #',
      '#',
      ' ',
      '\n',
      '\t',
      '\r',
      '=',
      'n',
      '0',
      '{A}',
      'ü',
      '`',
      'x',
      '!',
      '$$',
      '${X:-y}',
    );
    const value = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
    );
    const printable = value.map((text) => text.replaceAll('\0', ''));
    const styles = ['=old', "='old'", '="old"', '=old # comment', '= '];
    const sample = fc.sample(fc.array(printable, { minLength: 100, maxLength: 100 }), 3);
    for (const values of sample) {
      let file = parseEnvFile(values.map((_, i) => `K${i}${styles[i % styles.length]}\n`).join(''));
      values.forEach((text, i) => (file = file.set(`K${i}`, text)));
      const read = await asComposeReads(config, file.toBytes(), file.keys());
      expect(read).toEqual(Object.fromEntries(values.map((text, i) => [`K${i}`, text])));
    }
  });
});
