import { createReadStream } from 'node:fs';
import { readFile, stat, type FileHandle } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Header, Pax } from 'tar';
import { systemCode } from '../errors.ts';
import { corrupt } from './manifest.ts';

/** Files by name, in a directory or in a tar that is not unpacked. `size` and `read` give undefined for a missing file. */
export type FileTree = {
  readonly label: string;
  size(path: string): Promise<number | undefined>;
  read(path: string): Promise<Buffer | undefined>;
  open(path: string, offset?: number): AsyncIterable<Buffer>;
  close(): Promise<void>;
};

const documentLimit = 16 << 20;
const chunk = 1 << 18;

/** @param root an OCI layout; the caller passes only names of its own, such as `index.json` or `blobs/sha256/<hex>` */
export function directoryTree(root: string): FileTree {
  const size = async (path: string): Promise<number | undefined> => {
    try {
      const found = await stat(join(root, path));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
      throw error;
    }
  };
  return {
    label: root,
    size,
    read: async (path) => {
      const length = await size(path);
      if (length === undefined) return undefined;
      if (length > documentLimit) throw corrupt(root, `${path} is too large (${length} bytes)`);
      return readFile(join(root, path));
    },
    open: (path, offset = 0) => createReadStream(join(root, path), { start: offset, highWaterMark: chunk }),
    close: async () => {},
  };
}

type Entry = { offset: number; size: number };

/** @param handle a plain tar; closed by `close`, and when it cannot be read */
export async function tarTree(handle: FileHandle, label: string): Promise<FileTree> {
  const entries = await indexTar(handle, label).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  return {
    label,
    size: async (path) => entries.get(path)?.size,
    read: async (path) => {
      const entry = entries.get(path);
      if (!entry) return undefined;
      if (entry.size > documentLimit) throw corrupt(label, `${path} is too large (${entry.size} bytes)`);
      return readAt(handle, entry.offset, entry.size, label);
    },
    open: (path, offset = 0) => {
      const entry = entries.get(path);
      if (!entry) throw corrupt(label, `${path} is missing`);
      return range(handle, entry.offset + offset, entry.size - offset, label);
    },
    close: () => handle.close(),
  };
}

async function* range(handle: FileHandle, start: number, length: number, label: string): AsyncIterable<Buffer> {
  for (let position = start; position < start + length;) {
    const bytes = await readAt(handle, position, Math.min(chunk, start + length - position), label);
    position += bytes.length;
    yield bytes;
  }
}

/**
 * The position of each file in a tar. The headers are decoded by the tar library; links (`docker save` of old engines writes a
 * layer that several images share once, and symlinks) become additional names. Of a duplicate name, the last entry is used, as tar does.
 */
async function indexTar(handle: FileHandle, label: string): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  const links: { path: string; target: string }[] = [];
  const { size: end } = await handle.stat();
  let pax: Pax | undefined;
  let globalPax: Pax | undefined;
  let longName: { path?: string; linkpath?: string } = {};
  for (let position = 0; position + 512 <= end;) {
    const block = await readAt(handle, position, 512, label);
    position += 512;
    const header = new Header(block, 0, pax, globalPax);
    if (header.nullBlock) break;
    if (!header.cksumValid) throw corrupt(label, `it is not a tar archive, or damaged at byte ${position - 512}`);
    const size = header.size ?? 0;
    if (position + size > end) throw corrupt(label, `it ends too early, within ${header.path ?? 'an entry'}`);
    const text = async (): Promise<string> => {
      if (size > 1 << 20) throw corrupt(label, `an extended header of ${size} bytes`);
      return (await readAt(handle, position, size, label)).toString('utf8');
    };
    const path = posix.normalize(longName.path ?? header.path ?? '').replace(/^\/+/, '');
    switch (header.type) {
      case 'ExtendedHeader':
        pax = Pax.parse(await text(), pax, false);
        break;
      case 'GlobalExtendedHeader':
        globalPax = Pax.parse(await text(), globalPax, true);
        break;
      case 'NextFileHasLongPath':
        longName.path = (await text()).replace(/\0.*$/s, '');
        break;
      case 'NextFileHasLongLinkpath':
        longName.linkpath = (await text()).replace(/\0.*$/s, '');
        break;
      case 'Link':
      case 'SymbolicLink': {
        const target = longName.linkpath ?? header.linkpath ?? '';
        links.push({ path, target: posix.normalize(header.type === 'Link' ? target : posix.join(posix.dirname(path), target)) });
        break;
      }
      case 'File':
      case 'OldFile':
        entries.set(path, { offset: position, size });
        break;
      default:
    }
    if (!['ExtendedHeader', 'GlobalExtendedHeader', 'NextFileHasLongPath', 'NextFileHasLongLinkpath'].includes(header.type)) {
      pax = undefined;
      longName = {};
    }
    position += Math.ceil(size / 512) * 512;
  }
  for (const { path, target } of links) {
    const entry = entries.get(target);
    if (entry) entries.set(path, entry);
  }
  return entries;
}

async function readAt(handle: FileHandle, position: number, length: number, label: string): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let have = 0; have < length;) {
    const { bytesRead } = await handle.read(bytes, have, length - have, position + have);
    if (bytesRead === 0) throw corrupt(label, `it ends too early, at byte ${position + have}`);
    have += bytesRead;
  }
  return bytes;
}
