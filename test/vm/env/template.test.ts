import { describe, expect, test } from 'vitest';
import { generateValue, mergeEnv, renderNewEnv, templateKeys } from '../../../src/vm/env/template.ts';

const template = Buffer.from(`# NodePad
# airdock: required
VERSION=

# the owner
IMAGE_OWNER=palazski # default
# airdock: required
PUBLIC_URL=
# airdock: generate=hex32 secret
POSTGRES_PASSWORD=
# airdock: required secret
S3_SECRET=
DATABASE_URL="postgres://u:\${POSTGRES_PASSWORD}@db/x"
`);
const generate = () => 'generated';

describe('a new .env', () => {
  test('has the values that were given, the generated ones, and the template byte for byte', () => {
    const { bytes, missing, generated } = renderNewEnv(template, {
      set: { PUBLIC_URL: 'http://a b' },
      given: { VERSION: '0.3.0', S3_SECRET: 'geheim' },
      generate,
    });
    expect(missing).toEqual([]);
    expect(generated).toEqual(['POSTGRES_PASSWORD']);
    const expected = template
      .toString()
      .replace('VERSION=\n', 'VERSION=0.3.0\n')
      .replace('PUBLIC_URL=', "PUBLIC_URL='http://a b'")
      .replace('POSTGRES_PASSWORD=\n', 'POSTGRES_PASSWORD=generated\n')
      .replace('S3_SECRET=', 'S3_SECRET=geheim');
    expect(bytes.toString()).toBe(expected);
  });

  test('names every missing value at once', () => {
    expect(renderNewEnv(template, { generate }).missing).toEqual(['VERSION', 'PUBLIC_URL', 'S3_SECRET']);
  });

  test.each(['POSTGRES_PASSWORD', 'S3_SECRET'])('refuses --set of the secret %s', (key) => {
    expect(() => renderNewEnv(template, { set: { [key]: 'x' } })).toThrow(
      expect.objectContaining({ code: 'SECRET_ON_COMMAND_LINE', hint: expect.stringContaining(`--set-file ${key}=`) as string }),
    );
  });

  test('refuses an unknown key, naming a near one', () => {
    expect(() => renderNewEnv(template, { set: { PUBLIC_ULR: 'x' } })).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'Did you mean PUBLIC_URL?' }),
    );
  });

  test('generates 2N hex digits, each time others', () => {
    expect(generateValue('hex32')).toMatch(/^[0-9a-f]{64}$/);
    expect(generateValue('hex32')).not.toBe(generateValue('hex32'));
  });
});

describe("an operator's .env", () => {
  const current = Buffer.from(
    '# mine\r\nVERSION=0.2.4\r\nPOSTGRES_PASSWORD=old\r\nEXTRA=1\r\nPUBLIC_URL=http://x\r\nS3_SECRET=s',
  );

  test('gets the keys that it lacks at its end, with their comments; the rest stays', () => {
    const merged = mergeEnv(current, template, { given: { VERSION: '0.3.0' }, generate });
    expect(merged).toMatchObject({ added: ['IMAGE_OWNER', 'DATABASE_URL'], changed: ['VERSION'], missing: [], generated: [] });
    expect(merged.bytes.toString()).toBe(
      `${current.toString().replace('0.2.4', '0.3.0')}\r\n# the owner\r\nIMAGE_OWNER=palazski # default\r\n` +
        'DATABASE_URL="postgres://u:${POSTGRES_PASSWORD}@db/x"\r\n',
    );
  });

  test('is the same bytes when there is nothing to do', () => {
    const all = mergeEnv(current, template).bytes;
    expect(mergeEnv(all, template)).toMatchObject({ added: [], changed: [] });
    expect(mergeEnv(all, template).bytes).toEqual(all);
  });

  test('generates secrets that are new, and names required values that are new or empty', () => {
    const merged = mergeEnv(Buffer.from('VERSION=1\nS3_SECRET=\n'), template, { generate });
    expect(merged.generated).toEqual(['POSTGRES_PASSWORD']);
    expect(merged.missing).toEqual(['PUBLIC_URL', 'S3_SECRET']);
  });

  test('with VERSION twice is refused', () => {
    const twice = Buffer.from('VERSION=1\nVERSION=2\n');
    expect(() => mergeEnv(twice, template, { given: { VERSION: '3' } })).toThrow(
      expect.objectContaining({ code: 'ENV_INVALID' }),
    );
  });

  test('keeps keys of its own open to --set', () => {
    expect(mergeEnv(current, template, { set: { EXTRA: '2' } }).changed).toEqual(['EXTRA']);
  });
});

test('markers: only those directly above a key count, unknown ones are refused', () => {
  expect(templateKeys(Buffer.from('# airdock: required\n\nA=\n'))).toMatchObject([{ key: 'A', required: false }]);
  expect(() => templateKeys(Buffer.from('# airdock: requierd\nA=\n'))).toThrow(/unknown marker requierd above A/);
  expect(() => templateKeys(Buffer.from('# airdock: generate=base64\nA=\n'))).toThrow(/generate=base64/);
});
