import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Compose, ComposeModel } from '../../io/compose.ts';
import { removeTree, replaceFile } from '../../io/files.ts';
import { composeFiles } from '../compose-files/find.ts';
import { mergeEnv, renderNewEnv, type EnvInputs, type MergedEnv } from '../env/template.ts';
import { parseEnvFile } from '../env/file.ts';
import { rewriteCompose } from '../compose-files/rewrite-images.ts';
import type { NamedImage } from '../images/names.ts';
import { releaseFile, type Release } from '../store/release.ts';
import type { Site } from '../site/site.ts';

/** The contents of `compose.yaml` and `.env` after the switch. */
export type Staged = { compose: Buffer; env: Buffer };

/** `.env` for a release: new keys of the template are added, VERSION is set, everything else stays. */
export function stageEnv(release: Release, current: Buffer | undefined, inputs: EnvInputs): MergedEnv {
  const template = releaseFile(release, 'env.template');
  const withVersion = { ...inputs, given: { ...inputs.given, VERSION: release.manifest.version } };
  if (current === undefined) return { ...renderNewEnv(template, withVersion), added: [], changed: [] };
  return mergeEnv(current, template, withVersion);
}

/** `.env` for a way back: only VERSION changes; keys that the newer release added stay. */
export function stageEnvBack(release: Release, current: Buffer): MergedEnv {
  const env = parseEnvFile(current, '.env');
  const changed = env.get('VERSION') === release.manifest.version ? [] : ['VERSION'];
  return { bytes: env.set('VERSION', release.manifest.version).toBytes(), missing: [], generated: [], added: [], changed };
}

/** compose.yaml of the release with the names that its images have on this engine. */
export function stageCompose(release: Release, names: readonly NamedImage[], env: Buffer): Buffer {
  const values = parseEnvFile(env, '.env');
  return Buffer.from(rewriteCompose(releaseFile(release, 'compose.yaml').toString(), names, (key) => values.expanded(key)));
}

/** Writes the staged files and opens compose over them, with the operator's own files and the real project directory. */
async function composeOverStaged(site: Site, folder: string, staged: Staged): Promise<Compose> {
  const file = path.join(folder, 'compose.yaml');
  const envFile = path.join(folder, '.env');
  await replaceFile(file, staged.compose, { mode: 0o600 });
  await replaceFile(envFile, staged.env, { mode: 0o600 });
  return openStaged(site, folder, staged.env);
}

export async function openStaged(site: Site, folder: string, env: Buffer): Promise<Compose> {
  const files = await composeFiles(site.directory, parseEnvFile(env, '.env'), path.join(folder, 'compose.yaml'));
  return site.composeOf(files, path.join(folder, '.env'));
}

/** Lets compose read the staged files. @throws COMPOSE_INVALID with compose's message */
export async function renderStaged(site: Site, staged: Staged): Promise<{ model: ComposeModel; hashes: Map<string, string> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'airdock-'));
  try {
    const compose = await composeOverStaged(site, folder, staged);
    return { model: await compose.config(), hashes: await compose.hashes() };
  } finally {
    await removeTree(folder);
  }
}
