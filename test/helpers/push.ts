import { writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { expect } from 'vitest';
import type { PushDocument } from '../../src/cli/documents/push.ts';
import { digestOf } from '../../src/digest.ts';
import { temporaryFolder, testKey, writeTestBundle, type TestBundle } from './bundle.ts';
import { airdock, type CliOptions } from './cli.ts';

export type Pushed = { code: number; document: PushDocument & Record<string, unknown>; stdout: string; stderr: string };

/** A folder with a small bundle, `shop.tar`, and the command that pushes it. */
export async function pushSite() {
  const folder = await temporaryFolder();
  await writeFile(folder.file('release.pub'), testKey.publicPem);
  const release: TestBundle = await writeTestBundle(folder.file('shop.tar'));
  return {
    ...folder,
    release,
    /** `env` is all that it knows of variables, but HOME. */
    async push(to: string, flags: readonly string[], env: Record<string, string> = {}, more: CliOptions = {}): Promise<Pushed> {
      const args = ['push', 'shop.tar', '--registry', to, '--trust', 'release.pub', '--no-chart', '--json', ...flags];
      const answer = await airdock(args, { cwd: folder.path, env: { HOME: folder.path, ...env }, ...more });
      return { ...answer, document: JSON.parse(answer.stdout) as Pushed['document'] };
    },
    /** As another tool reads it. */
    async expectThere(registry: { address: string }, path: string, flags = ['--tls-verify=false']): Promise<void> {
      const { manifestDigest } = release.manifest.images[1]!;
      const image = `docker://${registry.address}/${path}/example/shop-api:0.3.0`;
      expect(digestOf((await execa('skopeo', ['inspect', '--raw', ...flags, image])).stdout)).toBe(manifestDigest);
    },
  };
}
export type PushSite = Awaited<ReturnType<typeof pushSite>>;
