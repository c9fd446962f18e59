import { parseTrust, type TrustChain } from '../bundle/trust.ts';
import type { CliContext } from './context.ts';
import { readTextFile } from './read-file.ts';

/** `trust.json`, from a file of its own. @throws FILE_NOT_FOUND, TRUST_INVALID */
export async function readTrustFile({ cwd }: CliContext, path: string): Promise<TrustChain> {
  return parseTrust(Buffer.from(await readTextFile(cwd, path, 'trust.json')));
}
