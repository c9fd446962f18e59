import { describe, expect, test } from 'vitest';
import { decodeHeader, encodeHeader, maxEntrySize, padding, paddingOf } from '../../src/bundle/tar.ts';

const header = { name: 'bundle.json', size: 1234, mtime: 1_795_000_000 };

/** Changes bytes and makes the checksum right again. */
function forge(change: (block: Buffer) => void): Buffer {
  const block = encodeHeader(header);
  change(block);
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')} \0`, 148);
  return block;
}

describe('FORMAT.md 1.1, headers', () => {
  test('a header is what its name, size and mtime say', () => {
    expect(decodeHeader(encodeHeader(header))).toEqual(header);
    expect(decodeHeader(forge(() => {}))).toEqual(header);
  });

  test.each([
    ['a directory', (b: Buffer) => b.write('5', 156)],
    ['a symbolic link', (b: Buffer) => b.write('2', 156)],
    ['a hard link', (b: Buffer) => b.write('1', 156)],
    ['a pax header', (b: Buffer) => b.write('x', 156)],
    ['a global pax header', (b: Buffer) => b.write('g', 156)],
    ['a GNU long name', (b: Buffer) => b.write('L', 156)],
    ['a GNU sparse file', (b: Buffer) => b.write('S', 156)],
    ['an old regular file', (b: Buffer) => b.write('\0', 156)],
    ['a link name', (b: Buffer) => b.write('/etc/passwd', 157)],
    ['GNU magic', (b: Buffer) => b.write('ustar  \0', 257)],
    ['no magic', (b: Buffer) => b.fill(0, 257, 265)],
    ['a prefix', (b: Buffer) => b.write('../..', 345)],
    ['a user name', (b: Buffer) => b.write('root', 265)],
    ['a group name', (b: Buffer) => b.write('root', 297)],
    ['another mode', (b: Buffer) => b.write('000755 \0', 100)],
    ['another owner', (b: Buffer) => b.write('000001 \0', 108)],
    ['a device', (b: Buffer) => b.write('000001 \0', 329)],
    ['a base-256 size', (b: Buffer) => b.write('\x80', 124, 'latin1')],
    ['a negative base-256 size', (b: Buffer) => b.write('\xff', 124, 'latin1')],
    ['a size with leading spaces', (b: Buffer) => b.write('       2322 ', 124)],
    ['a size without its end', (b: Buffer) => b.write('000000023220', 124)],
    ['a name that goes on behind a NUL', (b: Buffer) => b.write('x', 50)],
    ['an empty name', (b: Buffer) => b.fill(0, 0, 100)],
    ['an absolute name of bytes', (b: Buffer) => b.write('b\xfcndle.json', 0, 'latin1')],
    ['a name with a newline', (b: Buffer) => b.write('bundle\njson', 0)],
    ['bytes in the unused end', (b: Buffer) => b.write('x', 511)],
    ['an atime', (b: Buffer) => b.write('00000000001\0', 476)],
  ])('%s is refused', (_what, change) => {
    expect(() => decodeHeader(forge((block) => void change(block)))).toThrow(expect.objectContaining({ code: 'BUNDLE_HEADER' }));
  });

  test('any flipped bit is refused, or the header says something else', () => {
    let refused = 0;
    for (let bit = 0; bit < 512 * 8; bit += 1) {
      const block = encodeHeader(header);
      block[bit >> 3] = (block[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeHeader(block)).toThrow(expect.objectContaining({ code: 'BUNDLE_HEADER' }));
      refused += 1;
    }
    expect(refused).toBe(4096);
  });

  test('sizes up to 8 GiB less one byte', () => {
    for (const size of [0, 1, 511, 512, 513, 2 ** 31, 2 ** 32, maxEntrySize - 1, maxEntrySize]) {
      expect(decodeHeader(encodeHeader({ ...header, size }))).toEqual({ ...header, size });
    }
    expect(() => encodeHeader({ ...header, size: maxEntrySize + 1 })).toThrow(
      expect.objectContaining({ code: 'BUNDLE_ENTRY_TOO_LARGE' }),
    );
  });

  test.each(['', 'a'.repeat(100), 'ä', 'a b', 'a\\b', 'a\0b'])('a name that no bundle has: %j', (name) => {
    expect(() => encodeHeader({ ...header, name })).toThrow(expect.objectContaining({ code: 'BUNDLE_HEADER' }));
  });

  test('data is padded to blocks', () => {
    expect([0, 1, 511, 512, 513].map(paddingOf)).toEqual([0, 511, 1, 0, 511]);
    expect(padding(513).equals(Buffer.alloc(511))).toBe(true);
  });
});
