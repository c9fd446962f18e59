// One flipped bit at an exact place of a bundle.
import { open } from 'node:fs/promises';
import { execa } from 'execa';

/** Offset and size of each entry's data, in bytes. */
export async function entriesOf(bundle: string): Promise<{ name: string; offset: number; size: number }[]> {
  const { stdout } = await execa('tar', ['-tvRf', bundle]);
  return stdout.split('\n').flatMap((line) => {
    const match = /^block (\d+): \S+ \S+ +(\d+) \S+ \S+ (.+)$/.exec(line);
    return match ? [{ name: match[3] ?? '', offset: (Number(match[1]) + 1) * 512, size: Number(match[2]) }] : [];
  });
}

/** Flips the lowest bit of the byte at that offset; a second time puts it back. */
export async function flipBit(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([byte.readUInt8() ^ 1]), 0, 1, at);
  await file.close();
}
