import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Document, type YAMLMap } from 'yaml';
import { AirdockError } from '../errors.ts';
import { requestedImage, type RequestedImage } from './requested-image.ts';
import { interpolation } from '../io/compose-interpolation.ts';

export type ComposeFile = {
  services: string[];
  /** Every profile that some service belongs to. */
  profiles: string[];
  images: RequestedImage[];
  /** Named volumes. */
  volumes: string[];
  /** Things that the bundle does not carry: `compose.yaml:7 mounts ./nginx.conf`. */
  warnings: string[];
};

/**
 * Reads the services, images and volumes of a compose file, in all its profiles, without Docker.
 * @param values defaults of the env template, and VERSION
 * @throws AirdockError COMPOSE_INVALID, IMAGE_UNPINNED, REFERENCE_INVALID; each names file and line
 */
export function readCompose(text: string, file: string, values: Readonly<Record<string, string>>): ComposeFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (node: unknown): string => {
    const start = (node as { range?: [number, number, number] | null } | undefined)?.range?.[0];
    return start === undefined ? file : `${file}:${lines.linePos(start).line}`;
  };
  const invalid = (where: string, why: string, hint: string): AirdockError =>
    new AirdockError('COMPOSE_INVALID', `${where}: ${why}`, { hint, details: { where } });

  const [problem] = document.errors;
  if (problem) {
    const where = problem.linePos ? `${file}:${problem.linePos[0].line}` : file;
    throw invalid(where, problem.message.split('\n')[0] ?? problem.code, 'Correct the YAML; docker compose config shows more.');
  }
  if (!isMap(document.contents)) throw invalid(file, 'it is not a compose file', 'It must have services.');
  const included = entry(document, document.contents, 'include');
  if (included) {
    throw invalid(
      at(included),
      'include names other files, but a bundle carries one compose file',
      'Merge the files into one, e.g. with docker compose config.',
    );
  }
  const all = entry(document, document.contents, 'services');
  if (!isMap(all) || all.items.length === 0) throw invalid(file, 'there are no services', 'It must have services.');

  const images: RequestedImage[] = [];
  const warnings: string[] = [];
  const profiles = new Set<string>();
  const services: string[] = [];
  for (const { key, value } of all.items) {
    const service = String(isScalar(key) ? key.value : key);
    services.push(service);
    const node = follow(document, value);
    if (!isMap(node)) throw invalid(at(key), `service ${service} is empty`, 'Give it an image.');
    for (const profile of strings(document, entry(document, node, 'profiles'))) profiles.add(profile);
    warnings.push(...leftOut(document, node, service, at));

    const image = inherited(document, all, node, 'image', (where, why) =>
      invalid(at(where), why, 'Write the whole service in this file.'),
    );
    if (image === undefined) {
      if (inherited(document, all, node, 'build', () => undefined) !== undefined) {
        throw new AirdockError(
          'IMAGE_UNPINNED',
          `${at(key)}: service ${service} has build: but no image:, so its image has no name`,
          {
            hint: 'Add image: name:${VERSION} beside build:, push it, and build the bundle again.',
            details: { where: at(key), service },
          },
        );
      }
      throw invalid(at(key), `service ${service} has no image`, 'Give it an image.');
    }
    if (!isScalar(image) || typeof image.value !== 'string')
      throw invalid(at(image), `image of ${service} is not a string`, 'Write image: name:tag');
    const where = at(image);
    const {
      value: reference,
      missing,
      malformed,
    } = interpolation(image.value, (name) => (Object.hasOwn(values, name) ? values[name] : undefined));
    if (malformed)
      throw invalid(where, `${image.value} is not valid compose interpolation`, 'Write ${NAME} or ${NAME:-default}.');
    if (missing.length > 0) {
      throw invalid(
        where,
        `image of ${service} needs ${missing.join(', ')}, which the env template does not set`,
        'Give it a default: ${NAME:-default}, or a value in the template.',
      );
    }
    images.push(requestedImage(reference, `compose ${service}`, where));
  }
  const named = entry(document, document.contents, 'volumes');
  const volumes = isMap(named) ? named.items.map(({ key }) => String(isScalar(key) ? key.value : key)) : [];
  return { services, profiles: [...profiles].toSorted(), images, volumes, warnings };
}

/** A member of a service, or of the service in the same file that it extends. */
function inherited(
  document: Document,
  all: YAMLMap,
  service: YAMLMap,
  member: string,
  elsewhere: (where: unknown, why: string) => Error | undefined,
  depth = 0,
): unknown {
  const own = entry(document, service, member);
  if (own !== undefined) return own;
  const parent = entry(document, service, 'extends');
  if (parent === undefined || depth > 10) return undefined;
  if (isMap(parent) && entry(document, parent, 'file') !== undefined) {
    const error = elsewhere(parent, 'extends names another file, but a bundle carries one compose file');
    if (error) throw error;
    return undefined;
  }
  const named = isMap(parent) ? entry(document, parent, 'service') : parent;
  const base = isScalar(named) ? entry(document, all, String(named.value)) : undefined;
  return isMap(base) ? inherited(document, all, base, member, elsewhere, depth + 1) : undefined;
}

/** The value of a key, with aliases and `<<` merges resolved; a key of the map itself takes precedence. */
function entry(document: Document, map: YAMLMap, name: string): unknown {
  const own = map.items.find(({ key }) => isScalar(key) && key.value === name);
  if (own) return follow(document, own.value);
  for (const { key, value } of map.items) {
    if (!isScalar(key) || key.value !== '<<') continue;
    const merged = follow(document, value);
    const sources = isMap(merged) ? [merged] : isSequence(merged) ? merged.items.map((item) => follow(document, item)) : [];
    for (const source of sources) {
      const found = isMap(source) ? entry(document, source, name) : undefined;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function follow(document: Document, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function isSequence(node: unknown): node is { items: unknown[] } {
  return typeof node === 'object' && node !== null && !isMap(node) && 'items' in node;
}

function strings(document: Document, node: unknown): string[] {
  if (!isSequence(node)) return [];
  return node.items.map((item) => follow(document, item)).flatMap((item) => (isScalar(item) ? [String(item.value)] : []));
}

/** Warnings for mounts of files beside the compose file: they exist here, but not on the VM. */
function leftOut(document: Document, service: YAMLMap, name: string, at: (node: unknown) => string): string[] {
  const mounts = entry(document, service, 'volumes');
  const sources = (isSequence(mounts) ? mounts.items : []).flatMap((item) => {
    const node = follow(document, item);
    const source = isMap(node) ? entry(document, node, 'source') : node;
    const text = isScalar(source) ? String(source.value).split(':')[0] : undefined;
    return text !== undefined && /^\.\.?(\/|$)/.test(text) ? [{ node, text }] : [];
  });
  return sources.map(({ node, text }) => `${at(node)}: ${name} mounts ${text}, which the bundle does not carry`);
}
