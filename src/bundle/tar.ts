import { Header } from 'tar/header';
import { AirdockError } from '../errors.ts';

/** The archive's blocks (docs/FORMAT.md section 1). Name, size and mtime determine all 512 bytes of a header. */

export const blockSize = 512;
/** The largest size that eleven octal digits can express: 8 GiB less one byte. */
export const maxEntrySize = 0o77777777777;
/** Two blocks of zeros (section 1.3). */
export const archiveEnd = Buffer.alloc(2 * blockSize);

const zeros = Buffer.alloc(blockSize);
const namePattern = /^[A-Za-z0-9._/-]{1,99}$/;

export type EntryHeader = { name: string; size: number; /** Seconds. */ mtime: number };

/** @throws BUNDLE_ENTRY_TOO_LARGE at 8 GiB, BUNDLE_HEADER for a name that section 1.1 does not allow */
export function encodeHeader({ name, size, mtime }: EntryHeader): Buffer {
  if (!namePattern.test(name)) {
    throw new AirdockError('BUNDLE_HEADER', `${JSON.stringify(name.slice(0, 100))} cannot be the name of an entry`);
  }
  if (size > maxEntrySize) throw new AirdockError('BUNDLE_ENTRY_TOO_LARGE', `${name} has 8 GiB or more (FORMAT.md 8)`);
  const block = Buffer.alloc(blockSize);
  const needsPax = new Header({
    path: name,
    size,
    mtime: new Date(mtime * 1000),
    type: 'File',
    mode: 0o644,
    uid: 0,
    gid: 0,
    linkpath: '',
    uname: '',
    gname: '',
    devmaj: 0,
    devmin: 0,
  }).encode(block);
  if (needsPax) throw new AirdockError('BUNDLE_HEADER', `the header of ${name} does not fit plain ustar (FORMAT.md 1.1)`);
  return block;
}

/**
 * Reads name, size and mtime, encodes the header again and compares the 512 bytes (FORMAT.md 1.1).
 * @throws BUNDLE_HEADER
 */
export function decodeHeader(block: Buffer): EntryHeader {
  const name = block.subarray(0, 100).toString('latin1').replace(/\0.*/s, '');
  const size = octal(block.subarray(124, 136));
  const mtime = octal(block.subarray(136, 148));
  if (!namePattern.test(name) || size === undefined || mtime === undefined) throw notPlain(name);
  const header = { name, size, mtime };
  if (!encodeHeader(header).equals(block)) throw notPlain(name);
  return header;
}

function notPlain(name: string): AirdockError {
  const quoted = JSON.stringify(name.slice(0, 100));
  return new AirdockError('BUNDLE_HEADER', `the tar header of ${quoted} is not in the form that a bundle has (FORMAT.md 1.1)`);
}

function octal(field: Buffer): number | undefined {
  const text = field.toString('latin1');
  return /^[0-7]{10}[0-7 ]\0$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

export function isZeroBlock(block: Buffer): boolean {
  return block.equals(zeros);
}

/** Bytes between the end of the data and the next block. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

export function padding(size: number): Buffer {
  return zeros.subarray(0, paddingOf(size));
}
