import path from 'node:path';
import { readIfExists, replaceFile } from '../../io/files.ts';
import { imageNamesHere } from '../images/names.ts';
import { readEnv, type ManagedSite } from '../site/site.ts';
import { stageCompose } from './stage.ts';
import { readStoredRelease } from '../store/release.ts';
import { digestOf } from '../../digest.ts';

/**
 * `--discard-local` resets compose.yaml and VERSION to the recorded state. The operator's compose.yaml is kept as
 * `compose.yaml.local-<number>`.
 */
export async function discardLocal(site: ManagedSite): Promise<void> {
  const deployment = site.state.deployment();
  const stored = deployment?.current ? site.state.release(deployment.current) : undefined;
  const env = await readEnv(site.directory);
  if (!deployment || !stored || !env) return;
  const version =
    env.get('VERSION') === undefined
      ? env.append([{ key: 'VERSION', value: stored.version }])
      : env.set('VERSION', stored.version);
  await replaceFile(path.join(site.directory, '.env'), version.toBytes());
  const file = path.join(site.directory, 'compose.yaml');
  const edited = await readIfExists(file);
  if (edited && digestOf(edited) === deployment.composeDigest) return;
  if (edited) await replaceFile(await freeName(`${file}.local`), edited);
  const containers = await site.docker.containers({ project: site.project });
  const release = await readStoredRelease(site.store, stored);
  const names = await imageNamesHere(release, await site.docker.info(), site, containers);
  const compose = stageCompose(release, names, version.toBytes());
  await replaceFile(file, compose, { mode: 0o644 });
  site.state.updateDeployment({ composeDigest: digestOf(compose) });
}

async function freeName(stem: string): Promise<string> {
  for (let number = 1; ; number++) if (!(await readIfExists(`${stem}-${number}`))) return `${stem}-${number}`;
}
