import path from 'node:path';
import type { OpenBundle } from '../../bundle/reader.ts';
import { AirdockError, consentRefused } from '../../errors.ts';
import type { Adoption } from '../adopt/document.ts';
import { planFiles, type AdoptedFiles } from '../adopt/files.ts';
import { findStack, projectHere, refused, type FoundStack } from '../adopt/found.ts';
import { canonicalName } from '../../images/reference.ts';
import { assertSameImages } from '../adopt/images.ts';
import { carryOutAdoption } from '../transaction/adoption.ts';
import { parseRaw } from '../compose-files/raw-yaml.ts';
import { findDrift } from '../plan/drift.ts';
import type { Host } from '../site/host.ts';
import type { NamedImage } from '../images/names.ts';
import { imageNamesHere } from '../images/names.ts';
import { openTrusted, pinnedKeys, type NamedTrust } from '../site/open-trusted.ts';
import { recover } from '../transaction/recover.ts';
import { releaseFile, type Release } from '../store/release.ts';
import { changeSite, lookAtSite, type ManagedSite } from '../site/site.ts';
import { secretKeysOf } from '../env/template.ts';
import { stageCompose } from '../staging/stage.ts';
import type { Deployment } from '../state/state.ts';
import { readStoredRelease } from '../store/release.ts';

/**
 * Takes over a deployment that was made by hand, or later edits of one that airdock knows. Files and records change; no container
 * does (ADR 1, "Adoption").
 */
export type AdoptOptions = {
  directory: string;
  project?: string | undefined;
  bundle?: string | undefined;
  trust: NamedTrust;
};

/** @param consent gets what was found; false ends the command without a change */
export async function adopt(
  host: Host,
  options: AdoptOptions,
  consent: (found: Adoption) => Promise<boolean>,
): Promise<Adoption> {
  const airdock = path.join(path.resolve(options.directory), '.airdock');
  const bundle =
    options.bundle === undefined
      ? undefined
      : await openTrusted(host, { bundle: options.bundle, trust: options.trust }, pinnedKeys(airdock));
  try {
    const project = options.project ?? (await projectOf(host, options.directory));
    return await changeSite(host, { directory: options.directory, project }, (site) => adoptSite(site, bundle, consent));
  } finally {
    await bundle?.close();
  }
}

async function projectOf(host: Host, directory: string): Promise<string | undefined> {
  return lookAtSite(host, { directory }, async (site, records) => (records?.state.deployment() ? undefined : projectHere(site)));
}

async function adoptSite(
  site: ManagedSite,
  bundle: OpenBundle | undefined,
  consent: (found: Adoption) => Promise<boolean>,
): Promise<Adoption> {
  await recover(site);
  const deployment = site.state.deployment();
  const stack = await findStack(site);
  const change = deployment?.current ? await changeOf(site, deployment, stack, bundle) : 'unmanaged';
  const release = await releaseOf(site, stack, bundle);
  const files = change === 'nothing' ? asTheyAre(site, stack) : await filesFor(site, stack, release);
  const adoption = await adoptionOf(site, { stack, files, bundle, release, changed: change !== 'nothing' });
  if (change === 'nothing') return adoption;
  if (!(await consent(adoption))) throw consentRefused();
  const transaction = await carryOutAdoption(site, { stack, files, bundle, release });
  return { ...adoption, transaction };
}

/** The release whose compose.yaml the operator's is compared with; undefined when it is unknown. */
async function releaseOf(site: ManagedSite, stack: FoundStack, bundle: OpenBundle | undefined): Promise<Release | undefined> {
  const stored = site.state.deployment()?.current === stack.version ? site.state.release(stack.version) : undefined;
  if (!bundle) return stored && stored.origin === 'bundle' ? readStoredRelease(site.store, stored) : undefined;
  const { manifest } = bundle;
  const product = site.state.deployment()?.product ?? manifest.product;
  if (product !== manifest.product)
    throw new AirdockError('PRODUCT_MISMATCH', `this deployment is ${product}, the bundle is ${manifest.product}`, {
      hint: 'Use a bundle of the product that runs here.',
    });
  const engine = await site.docker.info();
  if (`${engine.os}/${engine.architecture}` !== manifest.platform)
    throw new AirdockError(
      'PLATFORM_MISMATCH',
      `the bundle is for ${manifest.platform}, this engine is ${engine.os}/${engine.architecture}`,
      {
        hint: `Ask the vendor for the bundle for ${engine.os}/${engine.architecture}.`,
      },
    );
  if (manifest.version !== stack.version)
    throw refused(
      `.env says VERSION ${stack.version}, the bundle is ${manifest.version}`,
      `Adopt with the bundle of ${stack.version}, then upgrade: airdock install. Without that bundle: airdock adopt, without --bundle.`,
    );
  await assertSameImages(site, stack, manifest, parseRaw(releaseFile(bundle, 'compose.yaml'), 'compose.yaml of the release'));
  return bundle;
}

/** What changed in a deployment that airdock knows. Edits of the compose file can be adopted; for other differences there is `--discard-local`. */
async function changeOf(
  site: ManagedSite,
  deployment: Deployment,
  stack: FoundStack,
  bundle: OpenBundle | undefined,
): Promise<'nothing' | 'compose' | 'bundle'> {
  const release = deployment.current === null ? undefined : site.state.release(deployment.current);
  const [engine, containers] = [await site.docker.info(), stack.containers];
  const drift = await findDrift({ directory: site.directory, deployment, release, containers, engine, docker: site.docker });
  const others = drift.filter((one) => one.what !== 'compose.yaml' || one.text.endsWith('missing'));
  if (others.length > 0)
    throw refused(
      others.map((one) => one.text).join('\n'),
      'Undo this with --discard-local at the next airdock install or rollback; recreate containers with docker compose up -d.',
    );
  if (bundle && release?.origin === 'adopted') return 'bundle';
  return drift.length > 0 ? 'compose' : 'nothing';
}

async function filesFor(site: ManagedSite, stack: FoundStack, release: Release | undefined): Promise<AdoptedFiles> {
  if (!release) return planFiles(site, stack, undefined);
  const compose = stageCompose(release, await namesInUse(site, stack, release), stack.env.toBytes());
  return planFiles(site, stack, { compose, unnamed: releaseFile(release, 'compose.yaml'), secrets: secretKeysOf(release.files) });
}

/** Image names; a name of airdock's own only if the engine has it, or if a container runs another image under the release's name. */
async function namesInUse(site: ManagedSite, stack: FoundStack, release: Release): Promise<NamedImage[]> {
  const running = new Set(stack.containers.map((container) => canonicalName(container.image)));
  const names: NamedImage[] = [];
  for (const entry of await imageNamesHere(release, await site.docker.info(), site, stack.containers)) {
    const { image, name } = entry;
    const used = running.has(image.reference) || running.has(name) || (await site.docker.inspectImage(name)) !== undefined;
    names.push(used ? entry : { image, name: image.reference, private: false });
  }
  return names;
}

function asTheyAre(site: ManagedSite, stack: FoundStack): AdoptedFiles {
  return {
    'compose.yaml': undefined,
    'compose.adopted.yaml': undefined,
    '.env': undefined,
    edits: [],
    pinned: [],
    names: stack.files.map((file) => path.relative(site.directory, file)),
  };
}

async function adoptionOf(
  site: ManagedSite,
  {
    stack,
    files,
    bundle,
    release,
    changed,
  }: {
    stack: FoundStack;
    files: AdoptedFiles;
    bundle: OpenBundle | undefined;
    release: Release | undefined;
    changed: boolean;
  },
): Promise<Adoption> {
  const { product = null, version } = { product: site.state.deployment()?.product, ...release?.manifest, version: stack.version };
  const main =
    stack.main.name === 'compose.yaml'
      ? []
      : [`${stack.main.name} stays, but compose reads compose.yaml instead of it from now on`];
  return {
    schema: 'airdock.adopt/1',
    product,
    version,
    project: site.project,
    changed,
    containers: stack.containers
      .map(({ service, id, image }) => ({ service, id, image }))
      .toSorted((a, b) => a.service.localeCompare(b.service) || a.id.localeCompare(b.id)),
    volumes: (await site.docker.volumes(site.project)).map((volume) => volume.name).toSorted(),
    edits: files.edits,
    files: files.names,
    source: release ? 'bundle' : 'engine',
    signer: bundle?.signer.fingerprint ?? null,
    warnings: [
      ...stack.warnings,
      ...files.pinned.map(pinnedText),
      ...(changed ? main : []),
      ...(changed && !release ? [unknownRelease] : []),
    ],
    transaction: null,
  };
}

const pinnedText = (service: string): string =>
  `${service}: the container runs another image than the signed one of the release; airdock keeps that image, at upgrades too, until you remove ${service}.image from compose.adopted.yaml`;

const unknownRelease =
  'without a bundle airdock cannot tell your edits from the vendor’s compose file: the next upgrade replaces compose.yaml (the store keeps this one for a rollback). Move your edits into compose.override.yaml first, or adopt with the bundle of this version.';
