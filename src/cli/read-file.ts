import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AirdockError, systemCode } from '../errors.ts';

/** A small text file that an option names. @throws FILE_NOT_FOUND, USAGE */
export async function readTextFile(cwd: string, path: string, what: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, path), 'utf8');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') throw new AirdockError('FILE_NOT_FOUND', `there is no ${what} at ${path}`, { cause });
    throw new AirdockError('USAGE', `the ${what} ${path} cannot be read`, { cause });
  }
}
