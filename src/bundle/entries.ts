import type { Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { checkEntryLimit } from './limits.ts';
import { rowOf, signatureName, sumsName, trustName } from './names.ts';
import { slotSize } from './signature.ts';
import type { Source } from './source.ts';
import { archiveEnd, blockSize, decodeHeader, isZeroBlock, paddingOf, type EntryHeader } from './tar.ts';

/** An entry of the archive and where its data lies. */
export type Entry = EntryHeader & { offset: number };

/** What is read before the signature is checked (docs/FORMAT.md section 9, step 1). */
export type Front = {
  sums: Entry;
  slot: Entry;
  sumsBytes: Buffer;
  slotBytes: Buffer;
  /** `trust.json`, which says whose signature is accepted. */
  trustBytes: Buffer | undefined;
};

export async function readFront(source: Source): Promise<Front> {
  const sums = await readHeader(source, 0);
  if (sums.name !== sumsName) throw order(`it begins with ${sums.name}, not with ${sumsName}`);
  checkEntryLimit(sums.name, sums.size);
  const slot = await readHeader(source, await endOf(source, sums));
  if (slot.name !== signatureName) throw order(`${slot.name} follows ${sumsName}, not ${signatureName}`);
  if (slot.size !== slotSize) {
    throw new AirdockError(
      'BUNDLE_ENTRY_TOO_LARGE',
      `${signatureName} must have ${slotSize} bytes, not ${slot.size} (FORMAT.md 8)`,
    );
  }
  sameTime(slot, sums);
  const [sumsBytes, slotBytes] = await Promise.all([source.read(sums.offset, sums.size), source.read(slot.offset, slot.size)]);
  const trustBytes = await readTrust(source, await endOf(source, slot));
  return { sums, slot, sumsBytes, slotBytes, trustBytes };
}

/** The bytes of `trust.json`, when it comes next. Any other entry is left to readEntries. */
async function readTrust(source: Source, position: number): Promise<Buffer | undefined> {
  if (isZeroBlock(await source.read(position, blockSize))) return undefined;
  const { name, offset, size } = await readHeader(source, position);
  if (name !== trustName) return undefined;
  checkEntryLimit(name, size);
  return source.read(offset, size);
}

/**
 * Reads the headers after the front up to the end of the file and skips the data (docs/FORMAT.md section 9, step 5).
 * `SHA256SUMS` is known by now, so an unexpected name is refused at once.
 */
export async function* readEntries(source: Source, front: Front, sums: ReadonlyMap<string, Digest>): AsyncGenerator<Entry, void> {
  const seen = new Set([sumsName, signatureName]);
  let position = await endOf(source, front.slot);
  while (!(await isEnd(source, position))) {
    const entry = await readHeader(source, position);
    if (rowOf(entry.name) < 0) {
      throw new AirdockError('BUNDLE_ENTRY_UNKNOWN', `no bundle contains a file named ${entry.name} (FORMAT.md 1.2)`);
    }
    if (seen.has(entry.name)) {
      throw new AirdockError('BUNDLE_ENTRY_DUPLICATE', `${entry.name} is in the bundle twice (FORMAT.md 1.2)`);
    }
    if (!sums.has(entry.name)) {
      throw new AirdockError('BUNDLE_ENTRY_UNLISTED', `${entry.name} is not listed in SHA256SUMS (FORMAT.md 1.2)`);
    }
    sameTime(entry, front.sums);
    checkEntryLimit(entry.name, entry.size);
    seen.add(entry.name);
    yield entry;
    position = await endOf(source, entry);
  }
}

async function readHeader(source: Source, position: number): Promise<Entry> {
  return { ...decodeHeader(await source.read(position, blockSize)), offset: position + blockSize };
}

/** Checks that the padding is zero (FORMAT.md 1.3). @returns the position after the padding */
async function endOf(source: Source, { name, size, offset }: Entry): Promise<number> {
  const length = paddingOf(size);
  const padding = await source.read(offset + size, length);
  if (padding.some((byte) => byte !== 0)) {
    throw new AirdockError('BUNDLE_PADDING', `there is data after the end of ${name} (FORMAT.md 1.3)`);
  }
  return offset + size + length;
}

/** FORMAT.md 1.3: two blocks of zeros, then the end of the file. */
async function isEnd(source: Source, position: number): Promise<boolean> {
  if (!isZeroBlock(await source.read(position, blockSize))) return false;
  const end = await source.read(position, archiveEnd.length);
  if (end.equals(archiveEnd) && position + archiveEnd.length === source.size) return true;
  throw new AirdockError('BUNDLE_TRAILING_DATA', `${source.path} continues after the end of the archive (FORMAT.md 1.3)`);
}

function sameTime(entry: Entry, first: Entry): void {
  if (entry.mtime === first.mtime) return;
  throw new AirdockError('BUNDLE_HEADER', `${entry.name} has a different time than the entries before it (FORMAT.md 1.1)`);
}

function order(why: string): AirdockError {
  return new AirdockError('BUNDLE_ORDER', `this is not an airdock bundle: ${why} (FORMAT.md 1.2)`);
}
