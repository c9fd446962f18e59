import { errorText } from '../../errors.ts';
import { readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { archiveEnd, encodeHeader, padding } from '../../bundle/tar.ts';
import { digestOf } from '../../digest.ts';
import { createFile, readIfExists } from '../../io/files.ts';
import { readHistory } from './history.ts';
import type { Host } from '../site/host.ts';
import { ReleaseFiles } from '../store/release-files.ts';
import { secretKeysOf } from '../env/template.ts';
import { secretsHere, withoutSecrets } from './support-bundle-secrets.ts';
import { lookAtSite, type Site } from '../site/site.ts';
import { readStatus } from './status.ts';
import { notADeployment } from '../site/site.ts';

/** `airdock support-bundle`: what a vendor needs to find an error, without secrets. */
export const supportBundleDocument = z.strictObject({
  schema: z.literal('airdock.support-bundle/1'),
  path: z.string(),
  digest: z.string(),
  files: z.array(z.string()),
  /** What could not be read, and why. */
  missing: z.array(z.strictObject({ file: z.string(), why: z.string() })),
});
export type SupportBundle = z.infer<typeof supportBundleDocument>;

const logLines = 500;
/** Number of transactions in the bundle. */
const keptTransactions = 10;

type Where = { directory: string; output: string };

/**
 * Writes records, reports, the state of the engine and the last lines of each container's log into a gzipped tar that only its
 * owner can read, without values of `.env` and secrets of the compose files. Takes no lock, changes nothing else.
 * @throws AirdockError USAGE when the file exists, NOT_A_DEPLOYMENT
 */
export async function makeSupportBundle(host: Host, { directory, output }: Where): Promise<SupportBundle> {
  return lookAtSite(host, { directory }, async (site, records) => {
    if (!records) throw notADeployment(site.directory);
    const secrets = await secretsHere(site, await secretKeysHere(site, records.state.deployment()?.current));
    const texts = new Map<string, string>();
    const missing: SupportBundle['missing'] = [];
    const collect = async (file: string, look: () => Promise<string>): Promise<void> => {
      try {
        texts.set(file, withoutSecrets(await look(), secrets.values));
      } catch (error) {
        missing.push({ file, why: withoutSecrets(errorText(error), secrets.values) });
      }
    };
    await collect('about.json', async () => json(await about(site)));
    await collect('env.txt', async () => secrets.keys.map((key) => `${key}\n`).join(''));
    await collect('status.json', async () => json(await readStatus(host, { directory })));
    await collect('history.json', async () => json(await readHistory(host, { directory })));
    await collect('containers.json', async () =>
      json((await site.docker.containers({ project: site.project })).map(withoutLabels)),
    );
    for (const container of await site.docker.containers({ project: site.project }).catch(() => []))
      await collect(`logs/${container.name}.txt`, () => site.docker.logs(container.id, { tail: logLines }));
    for (const file of await transactionFiles(site)) {
      await collect(file, async () => (await readIfExists(path.join(site.airdock, file)))?.toString() ?? '');
    }
    const bytes = await promisify(gzip)(tarOf(texts, Math.floor(host.clock().getTime() / 1000)));
    await createFile(output, bytes, 0o600);
    return { schema: 'airdock.support-bundle/1', path: output, digest: digestOf(bytes), files: [...texts.keys()], missing };
  });
}

/** Keys that the release's template marks as secret; none when the template cannot be read. */
async function secretKeysHere({ airdock }: Site, current: string | null | undefined): Promise<Set<string>> {
  if (!current) return new Set();
  const files = new ReleaseFiles(path.join(airdock, 'releases'));
  return files
    .read(current)
    .then(secretKeysOf)
    .catch(() => new Set());
}

async function about(site: Site): Promise<object> {
  const engine = await site.docker.info().catch((error: Error) => ({ error: error.message }));
  const compose = await site
    .compose()
    .then((one) => one.version())
    .catch((error: Error) => error.message);
  return {
    airdock: site.host.program.version,
    at: site.host.clock().toISOString(),
    directory: site.directory,
    project: site.project,
    engine,
    compose,
    kernel: os.release(),
    cores: os.availableParallelism(),
    memory: { total: os.totalmem(), free: os.freemem() },
    load: os.loadavg(),
  };
}

/** Labels may contain what an operator wrote into the compose files. */
function withoutLabels({ labels: _labels, ...container }: Awaited<ReturnType<Site['docker']['containers']>>[number]): object {
  return container;
}

/** Reports, plans and migration logs of the last transactions; the saved files hold secrets and are left out. */
async function transactionFiles({ airdock }: Site): Promise<string[]> {
  const folders = await readdir(path.join(airdock, 'transactions')).catch(() => []);
  const last = folders.toSorted((a, b) => Number(a) - Number(b)).slice(-keptTransactions);
  const names = ['report.txt', 'plan.json', 'migrate.log', 'rehearse.log'];
  const files: string[] = [];
  for (const id of last) {
    const existing = await readdir(path.join(airdock, 'transactions', id)).catch((): string[] => []);
    files.push(...names.filter((name) => existing.includes(name)).map((name) => `transactions/${id}/${name}`));
  }
  return files;
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function tarOf(texts: ReadonlyMap<string, string>, mtime: number): Buffer {
  const parts: Buffer[] = [];
  for (const [name, text] of texts) {
    const bytes = Buffer.from(text);
    parts.push(encodeHeader({ name: name.slice(0, 99), size: bytes.length, mtime }), bytes, padding(bytes.length));
  }
  return Buffer.concat([...parts, archiveEnd]);
}
