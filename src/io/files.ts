/** Writes that survive a power cut, and what preflight asks of a file system. */

/**
 * Replaces a file's content atomically: temporary file beside it, fsync, rename, fsync of the directory. Behind a symlink
 * the target is replaced and the link stays. An existing file keeps owner and mode unless `mode` is given; a new one gets 0600.
 * @throws AirdockError DISK_FULL
 */
export declare function replaceFile(path: string, bytes: Uint8Array | string, options?: { mode?: number }): Promise<void>;

/** Creates it (and parents) with that mode, 0700 unless told, and makes it durable; an existing one stays as it is. */
export declare function ensureDirectory(path: string, mode?: number): Promise<void>;

/** Bytes that an unprivileged process could still write on the file system of that path (of its nearest existing parent). */
export declare function freeBytes(path: string): Promise<number>;

/** Equal for two paths on the same file system. */
export declare function fileSystemId(path: string): Promise<string>;

/** Removes a file or a tree; absent is fine. */
export declare function removeTree(path: string): Promise<void>;

/** @throws AirdockError DIRECTORY_UNSAFE when others than its owner can write to it or to a directory above it */
export declare function assertDirectorySafe(path: string): Promise<void>;

/** undefined when there is no such file. */
export declare function readIfExists(path: string): Promise<Buffer | undefined>;

export declare function syncDirectory(path: string): Promise<void>;

/** A system error as DISK_FULL when the disk is full, else itself. */
export declare function diskError(error: unknown, path: string, needed?: number): unknown;
