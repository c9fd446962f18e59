import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readIfExists, removeTree, replaceFile } from '../../io/files.ts';
import { compareCompose, mergeOverlays, type Comparison } from './compare.ts';
import type { ComposeEdit } from './edits.ts';
import { servicesOf } from '../compose-files/raw-yaml.ts';
import { refused, type FoundStack } from './found.ts';
import { filesByHand } from '../compose-files/find.ts';
import { override, parseRaw, writeRaw, type Raw, type RawMap } from '../compose-files/raw-yaml.ts';
import type { Site } from '../site/site.ts';

/** The files to write into the directory. Undefined: the file does not change. */
export type AdoptedFiles = {
  'compose.yaml': Buffer | undefined;
  'compose.adopted.yaml': Buffer | undefined;
  '.env': Buffer | undefined;
  edits: ComposeEdit[];
  /** Services with a fixed image that is not the signed one; they keep their image. */
  pinned: string[];
  /** The compose files, in the order in which compose will read them. */
  names: string[];
};

/** The release's compose.yaml with the image names of this engine (`compose`) and as delivered (`unnamed`); its secret keys of `.env`. */
type Base = { compose: Buffer; unnamed: Buffer; secrets: ReadonlySet<string> };

const overlayName = 'compose.adopted.yaml';
const comment = ` What this deployment has changed in the release's compose.yaml, kept by \`airdock adopt\`.
 Compose reads it after compose.yaml and before your own override files (COMPOSE_FILE in .env). It is yours: edit it, or
 move its content into compose.override.yaml. !override replaces a value, !reset removes it (Docker Compose >= 2.24).`;

/** Plans the files of an adopted deployment, with the release's `compose.yaml` as the base, or without `base` the operator's own. */
export async function planFiles(site: Site, stack: FoundStack, base: Base | undefined): Promise<AdoptedFiles> {
  const overlayFile = path.join(site.directory, overlayName);
  const others = stack.files.slice(1).filter((file) => file !== overlayFile);
  const kept = stack.files.slice(1).includes(overlayFile) ? await readIfExists(overlayFile) : undefined;
  const compose = base?.compose ?? stack.main.bytes;
  const comparison = base ? compared(stack, base) : undefined;
  const renamed = comparison?.renamed ?? new Set<string>();

  const make = async (overlay: RawMap | undefined): Promise<AdoptedFiles> => {
    const all = overlay && kept ? mergeOverlays(overlay, parseRaw(kept, overlayName)) : overlay;
    const changes = all !== undefined && all.entries.size > 0;
    const adopted = changes ? writeRaw(all, comment) : kept;
    const files = [path.join(site.directory, 'compose.yaml'), ...(adopted ? [overlayFile] : []), ...others];
    const env = await envFor(site.directory, stack, files);
    return {
      'compose.yaml': stack.main.name === 'compose.yaml' && compose.equals(stack.main.bytes) ? undefined : compose,
      'compose.adopted.yaml': adopted && kept?.equals(adopted) ? undefined : adopted,
      '.env': env,
      edits: comparison?.edits ?? [],
      pinned: comparison?.pinned ?? [],
      names: files.map((file) => nameIn(site.directory, file)),
    };
  };

  let planned = await make(comparison?.overlay);
  let differing = await differingServices(site, stack, planned, compose, renamed);
  if (differing.length > 0 && comparison && !kept) {
    planned = await make(keptWhole(comparison, stack, differing));
    differing = await differingServices(site, stack, planned, compose, renamed);
  }
  if (differing.length === 0) return planned;
  throw refused(
    `the edits of ${stack.main.name} cannot be kept as an overlay: ${differing.join(', ')} would change`,
    'Move your changes from the compose file into compose.override.yaml, run docker compose up -d, and adopt again.',
    { services: differing },
  );
}

function compared(stack: FoundStack, base: Base): Comparison & { renamed: Set<string>; pinned: string[] } {
  const operator = parseRaw(stack.main.bytes, stack.main.name);
  const comparison = compareCompose(operator, parseRaw(base.compose, 'compose.yaml of the release'), base.secrets);
  const written = servicesOf(parseRaw(base.unnamed, 'compose.yaml of the release'));
  const overlays = servicesOf(comparison.overlay);
  const renamed = new Set<string>();
  const pinned: string[] = [];
  for (const [name, service] of overlays) {
    if (service.kind !== 'map' || service.tag) continue;
    const image = textOf(service.entries.get('image'));
    const declared = written.get(name);
    if (image === undefined || declared?.kind !== 'map' || textOf(declared.entries.get('image')) !== image) continue;
    if (stack.containers.some((container) => container.service === name)) {
      pinned.push(name);
      continue;
    }
    // The only change is airdock's own name for the release's image: without a container there is nothing to keep.
    renamed.add(name);
    service.entries.delete('image');
    if (service.entries.size === 0) overlays.delete(name);
    comparison.edits.splice(
      comparison.edits.findIndex((edit) => edit.path === `${name}.image`),
      1,
    );
  }
  if (overlays.size === 0) comparison.overlay.entries.delete('services');
  return { ...comparison, renamed, pinned };
}

function textOf(raw: Raw | undefined): string | undefined {
  return raw?.kind === 'scalar' ? raw.text : undefined;
}

/** For services whose overlay does not give the operator's configuration: the operator's whole service replaces the release's. */
function keptWhole({ overlay }: Comparison, stack: FoundStack, names: readonly string[]): RawMap {
  const own = servicesOf(parseRaw(stack.main.bytes, stack.main.name));
  const services = servicesOf(overlay);
  for (const name of names) {
    const service = own.get(name);
    if (service) services.set(name, override(service));
  }
  return overlay;
}

/** `.env` with COMPOSE_FILE; undefined when compose by hand reads these files already. */
async function envFor(directory: string, { env, main }: FoundStack, files: readonly string[]): Promise<Buffer | undefined> {
  const byHand = main.name === 'compose.yaml' ? await filesByHand(directory, env) : undefined;
  if (byHand && byHand.join('\n') === files.join('\n')) return undefined;
  const value = files.map((file) => nameIn(directory, file)).join(env.get('COMPOSE_PATH_SEPARATOR') || ':');
  return (
    env.lines('COMPOSE_FILE').length > 0
      ? env.set('COMPOSE_FILE', value)
      : env.append([
          { key: 'COMPOSE_FILE', value, comments: ['# The compose files of this deployment, in order (set by airdock adopt).'] },
        ])
  ).toBytes();
}

function nameIn(directory: string, file: string): string {
  const relative = path.relative(directory, file);
  return relative.startsWith('..') ? file : relative;
}

/** Services that compose would see as changed. The planned files are tried in a temporary folder, before anything is written. */
async function differingServices(
  site: Site,
  stack: FoundStack,
  planned: AdoptedFiles,
  compose: Buffer,
  renamed: ReadonlySet<string>,
): Promise<string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'airdock-'));
  try {
    const stage = async (name: string, bytes: Buffer): Promise<string> => {
      await replaceFile(path.join(folder, name), bytes, { mode: 0o600 });
      return path.join(folder, name);
    };
    const files: string[] = [];
    for (const name of planned.names) {
      const bytes = name === 'compose.yaml' ? compose : name === overlayName ? planned[overlayName] : undefined;
      files.push(bytes ? await stage(name, bytes) : path.resolve(site.directory, name));
    }
    const envFile = await stage('.env', planned['.env'] ?? stack.env.toBytes());
    const hashes = await site.composeOf(files, envFile).hashes();
    const all = new Set([...stack.hashes.keys(), ...hashes.keys()]);
    return [...all].filter(
      (service) => stack.hashes.get(service) !== hashes.get(service) && !(renamed.has(service) && hashes.has(service)),
    );
  } finally {
    await removeTree(folder);
  }
}
