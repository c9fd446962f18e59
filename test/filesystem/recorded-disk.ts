import { readFileSync, readdirSync, statSync } from 'node:fs';
import type * as promises from 'node:fs/promises';
import path from 'node:path';

/**
 * What stands between airdock and `node:fs/promises` in these tests: every call below one folder is counted, may fail, and what
 * a power cut would leave of the folder is known at every one of them.
 *
 * Reads after the file was opened, and SQLite's own files, are not counted: its commits are taken as atomic.
 */
export type Call = { name: string; path: string; /** Asks the disk for room. */ writes: boolean };

type Watch = {
  folder: string;
  calls: Call[];
  /** Before the call is carried out. An error that it gives is thrown in its place. */
  before: (call: Call, index: number) => Error | undefined;
  durable: Durable;
};

let watch: Watch | undefined;

/** Runs `work` with every call below `folder` seen. */
export async function watched<T>(
  folder: string,
  before: Watch['before'],
  work: () => Promise<T>,
): Promise<{ result: T | Error; calls: Call[] }> {
  const mine: Watch = { folder, calls: [], before, durable: new Durable(folder) };
  watch = mine;
  try {
    const result = await work().catch((error: unknown) => error as Error);
    return { result, calls: mine.calls };
  } finally {
    watch = undefined;
  }
}

export function durableNow(): Durable {
  if (!watch) throw new Error('nothing is watched');
  return watch.durable;
}

function ask(name: string, target: unknown, writes: boolean): void {
  if (!watch || typeof target !== 'string' || !target.startsWith(`${watch.folder}/`)) return;
  const call = { name, path: path.relative(watch.folder, target), writes };
  const error = watch.before(call, watch.calls.push(call) - 1);
  if (error) throw error;
}

/** As the system says it. */
export function diskFault(code: 'EIO' | 'ENOSPC', { name, path: where }: Call): Error {
  const text = { EIO: 'i/o error', ENOSPC: 'no space left on device' }[code];
  return Object.assign(new Error(`${code}: ${text}, ${name} '${where}'`), { code, syscall: name, path: where });
}

const reading = ['access', 'lstat', 'readdir', 'readFile', 'realpath', 'stat', 'statfs'] as const;
const changing = ['chmod', 'copyFile', 'mkdir', 'rename', 'rm', 'rmdir', 'symlink', 'unlink', 'writeFile'] as const;
const needsRoom = new Set<string>(['copyFile', 'mkdir', 'rename', 'symlink', 'writeFile']);

type Loose = (...args: unknown[]) => Promise<unknown>;

/** In place of `node:fs/promises`. */
export function recorded(real: typeof promises): typeof promises {
  const counted: Record<string, unknown> = { ...real };
  for (const name of [...reading, ...changing]) {
    const call = real[name] as unknown as Loose;
    counted[name] = async (...args: unknown[]) => {
      ask(name, name === 'rename' || name === 'copyFile' ? args[1] : args[0], needsRoom.has(name));
      return call(...args);
    };
  }
  counted['open'] = async (file: string, flags: string | number = 'r', mode?: number) => {
    const creates = typeof flags === 'number' ? (flags & 0o100) !== 0 : flags.startsWith('w') || flags.startsWith('a');
    ask('open', file, creates);
    const isNew = creates && inode(file) === undefined;
    const handle = await real.open(file, flags, mode);
    if (isNew) watch?.durable.created(file);
    return countedHandle(handle, file);
  };
  return counted as typeof promises;
}

function countedHandle(handle: promises.FileHandle, file: string): promises.FileHandle {
  return new Proxy(handle, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as Loose;
      if (['write', 'writev', 'writeFile', 'truncate', 'chmod', 'chown'].includes(String(name)))
        return async (...args: unknown[]) => {
          ask(String(name), file, !['chmod', 'chown'].includes(String(name)));
          return call(...args);
        };
      if (name === 'sync' || name === 'datasync')
        return async () => {
          ask('sync', file, true); // what was written may find its place only now
          await call();
          watch?.durable.synced(file);
        };
      return call;
    },
  });
}

function inode(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino;
}

type Entry = { ino: number; directory: boolean; mode: number };

/** What is on the disk for certain: names since their directory was synced, bytes since their file was. */
export class Durable {
  readonly #folder: string;
  readonly #bytes = new Map<number, Buffer>();
  readonly #entries = new Map<number, Map<string, Entry>>();

  constructor(folder: string) {
    this.#folder = folder;
    this.#all(folder);
  }

  #all(file: string): void {
    this.synced(file);
    if (!statSync(file).isDirectory()) return;
    for (const name of readdirSync(file)) this.#all(path.join(file, name));
  }

  /** A number may have belonged to a file that is gone. */
  created(file: string): void {
    if (file.startsWith(this.#folder)) this.#bytes.delete(inode(file) ?? 0);
  }

  synced(file: string): void {
    if (!file.startsWith(this.#folder)) return;
    const found = statSync(file);
    if (found.isDirectory()) this.#entries.set(found.ino, entriesOf(file));
    else this.#bytes.set(found.ino, readFileSync(file));
  }

  /**
   * The folder after a power cut: each file and directory in it, by its path.
   * - `kept`: as the processes saw it, which is what SIGKILL leaves;
   * - `dropped`: nothing that was not synced;
   * - `torn`: every name, and of the bytes that were not synced the first half.
   */
  after(cut: 'kept' | 'dropped' | 'torn'): Map<string, { mode: number; bytes: Buffer | undefined }> {
    const found = new Map<string, { mode: number; bytes: Buffer | undefined }>();
    const walk = (at: string, ino: number): void => {
      const now = statSync(path.join(this.#folder, at), { throwIfNoEntry: false })
        ? entriesOf(path.join(this.#folder, at))
        : new Map();
      const entries = cut === 'dropped' ? (this.#entries.get(ino) ?? new Map<string, Entry>()) : now;
      for (const [name, entry] of [...entries, ...sqlite(now)] as [string, Entry][]) {
        const where = path.join(at, name);
        if (entry.directory) {
          found.set(where, { mode: entry.mode, bytes: undefined });
          walk(where, entry.ino);
        } else found.set(where, { mode: entry.mode, bytes: this.#bytesOf(where, entry.ino, cut) });
      }
    };
    walk('.', statSync(this.#folder).ino);
    return found;
  }

  #bytesOf(where: string, ino: number, cut: 'kept' | 'dropped' | 'torn'): Buffer {
    const certain = this.#bytes.get(ino);
    if (cut === 'dropped' && !isSqlite(where)) return certain ?? Buffer.of();
    const now = readFileSync(path.join(this.#folder, where));
    if (cut === 'kept' || isSqlite(where) || certain?.equals(now)) return now;
    return now.subarray(0, Math.floor(now.length / 2));
  }
}

function entriesOf(directory: string): Map<string, Entry> {
  return new Map(
    readdirSync(directory, { withFileTypes: true }).map((entry) => {
      const { ino, mode } = statSync(path.join(directory, entry.name));
      return [entry.name, { ino, directory: entry.isDirectory(), mode: mode & 0o7777 }];
    }),
  );
}

function isSqlite(file: string): boolean {
  return /(^|\/)(state|lock)\.db(-journal)?$/.test(file);
}

function sqlite(entries: Map<string, Entry>): [string, Entry][] {
  return [...entries].filter(([name]) => isSqlite(name));
}
