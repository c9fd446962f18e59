import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { signBundle } from '../../src/bundle/sign.ts';
import { readPublicKey } from '../../src/bundle/keys.ts';
import { parseTrust } from '../../src/bundle/trust.ts';
import type { Io } from '../../src/cli/io.ts';
import type { Host } from '../../src/vm/site/host.ts';
import type { TransactionRecord } from '../../src/vm/state/journal.ts';
import { openState } from '../../src/vm/state/open-state.ts';
import { openTrusted, pinnedKeys, type NamedTrust } from '../../src/vm/site/open-trusted.ts';
import type { ManagedSite } from '../../src/vm/site/site.ts';
import { importRelease } from '../../src/vm/transaction/steps/import.ts';
import { openStore } from '../../src/vm/store/store.ts';
import { ensureDirectory } from '../../src/io/files.ts';
import { writeTestBundle } from './bundle.ts';
import { airdock, type CliResult } from './cli.ts';
import type { TestKey } from './key-sets.ts';

/** A vendor who hands releases out, and customers who take them: what `install` does about trust, without an engine. */

const clock = (): Date => new Date('2026-11-26T02:14:00Z');
const host = { clock, listener: () => {} } as unknown as Host;
const io = { resolveEndpoint: async () => 'unix:///nowhere', openDocker: () => ({}), openSystemd: () => ({}) };

/** A bundle of that version, signed with that key; `trust` is a trust.json that it carries. */
export async function release(file: string, version: string, key: TestKey, trust?: string): Promise<string> {
  const chain = trust === undefined ? {} : { trust: parseTrust(await readFile(trust)) };
  await writeTestBundle(file, { version, sign: 'unsigned', ...chain });
  await signBundle(file, { sign: key.sign, publicKey: readPublicKey(key.publicPem) });
  return file;
}

export class Customer {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Opens the bundle as `install` does, and carries out the step that imports: `done`, or the code of the refusal. */
  async install(bundle: string, trust: NamedTrust = {}): Promise<string> {
    const records = path.join(this.directory, '.airdock');
    try {
      const opened = await openTrusted(host, { bundle, trust }, pinnedKeys(records));
      await ensureDirectory(this.directory, 0o755);
      await ensureDirectory(records);
      const state = openState(records, '1.0.0');
      try {
        if (!state.deployment()) state.createDeployment({ product: 'shop', project: 'shop', endpoint: 'unix:///nowhere' });
        const site = { host, state, store: await openStore(records) } as ManagedSite;
        await importRelease({ site, record: { id: 1 } as TransactionRecord, bundle: opened }, () => {});
      } finally {
        state.close();
        await opened.close();
      }
      return 'done';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  /** `airdock trust …`, by the operator. */
  trust(args: readonly string[], answers?: readonly string[]): Promise<CliResult> {
    const options = { cwd: path.dirname(this.directory), io: async () => io as unknown as Io, ...(answers ? { answers } : {}) };
    return airdock(['trust', ...args, '--dir', this.directory], options);
  }
}

export async function writeKey(file: string, key: TestKey): Promise<void> {
  await writeFile(`${file}.key`, key.privatePem, { mode: 0o600 });
  await writeFile(`${file}.pub`, key.publicPem);
}
