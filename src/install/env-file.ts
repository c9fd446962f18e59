/** A `.env` file of which every byte that is not edited stays as it is. Immutable: edits give a new document. */
export interface EnvFile {
  /** As compose reads it, variables in it left alone. Undefined when absent. The last one wins when a key is there twice. */
  get(key: string): string | undefined;
  keys(): string[];
  /** Line numbers (from 1) at which the key is set. */
  lines(key: string): number[];
  /** Changes the bytes of the value alone. @throws ENV_INVALID when the key is absent or there twice */
  set(key: string, value: string): EnvFile;
  /** At the end, in the file's own line ending. @throws ENV_INVALID when a key is there already */
  append(entries: readonly EnvEntry[]): EnvFile;
  /** @throws ENV_INVALID naming the lines when the key is there twice */
  assertOnce(key: string): void;
  toBytes(): Buffer;
}

export type EnvEntry = {
  key: string;
  value: string;
  /** Whole comment lines above it, without line ends. */
  comments?: readonly string[];
};

/** @throws AirdockError ENV_INVALID naming the line that compose would not read either */
export declare function parseEnvFile(bytes: Uint8Array | string, name?: string): EnvFile;
