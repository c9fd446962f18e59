import { parseDigest, hexOf, type Digest } from '../digest.ts';
import { AirdockError } from '../errors.ts';
import { byName, rowOf, signatureName, sumsName } from './names.ts';

/** `SHA256SUMS` (docs/FORMAT.md section 2): what `sha256sum -c` reads, and what is signed. */

const linePattern = /^([0-9a-f]{64}) {2}([A-Za-z0-9._/-]{1,99})$/;

export function formatSums(sums: ReadonlyMap<string, Digest>): Buffer {
  const lines = [...sums].toSorted(([a], [b]) => byName(a, b)).map(([name, digest]) => `${hexOf(digest)}  ${name}\n`);
  return Buffer.from(lines.join(''), 'latin1');
}

/** @throws BUNDLE_SUMS_INVALID */
export function parseSums(bytes: Buffer): ReadonlyMap<string, Digest> {
  const lines = bytes.toString('latin1').split('\n');
  if (lines.pop() !== '' || lines.length === 0) throw invalid('does not end with a line');
  const sums = new Map<string, Digest>();
  let previous = '';
  for (const [index, line] of lines.entries()) {
    const [, hex, name] = linePattern.exec(line) ?? [];
    if (hex === undefined || name === undefined) throw invalid(`line ${index + 1} is not a digest, two spaces and a name`);
    if (byName(previous, name) >= 0) throw invalid(`line ${index + 1} is not in order`);
    if (rowOf(name) < 0 || name === sumsName || name === signatureName)
      throw invalid(`it lists ${name}, which no release contains`);
    const digest = parseDigest(`sha256:${hex}`, 'BUNDLE_SUMS_INVALID');
    if (name.startsWith('blobs/') && !name.endsWith(hex)) throw invalid(`${name} is listed with another digest`);
    sums.set(name, digest);
    previous = name;
  }
  return sums;
}

function invalid(why: string): AirdockError {
  return new AirdockError('BUNDLE_SUMS_INVALID', `SHA256SUMS is not in canonical form: ${why} (FORMAT.md 2)`);
}
