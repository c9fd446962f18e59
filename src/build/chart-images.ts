import { parseAllDocuments } from 'yaml';
import { AirdockError } from '../errors.ts';
import { parseReference } from '../images/reference.ts';
import { requestedImage, type RequestedImage } from './requested-image.ts';

/** Finds every image in the pod specs of rendered manifests, wherever they are (CronJobs, hooks, custom resources). */

export type Rendered = {
  manifests: string;
  /** The merged values of this rendering. */ values: unknown;
  /** For messages. */ with: string;
};

/** @throws AirdockError CHART_INVALID, IMAGE_UNPINNED, REFERENCE_INVALID */
export function chartImages(rendered: readonly Rendered[]): RequestedImage[] {
  const images = new Map<string, RequestedImage>();
  for (const { manifests, values, with: source } of rendered) {
    for (const document of parseAllDocuments(manifests, { merge: true })) {
      const [problem] = document.errors;
      if (problem) {
        throw new AirdockError(
          'CHART_INVALID',
          `the rendered chart ${source} is not valid YAML: ${problem.message.split('\n')[0]}`,
          {
            hint: 'Run helm template --debug to see more.',
          },
        );
      }
      const resource: unknown = document.toJS();
      for (const text of imagesIn(resource)) {
        const where = `chart ${source}, ${titleOf(resource)}`;
        const found = requestedImage(text, '', where);
        const usedBy = `chart ${valuesPath(values, text) ?? titleOf(resource)}`;
        images.set(`${found.name.canonical} ${usedBy}`, { ...found, usedBy });
      }
    }
  }
  return [...images.values()];
}

function* imagesIn(value: unknown): Iterable<string> {
  if (Array.isArray(value)) {
    for (const item of value) yield* imagesIn(item);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, member] of Object.entries(value)) {
    if (['containers', 'initContainers', 'ephemeralContainers'].includes(key) && Array.isArray(member)) {
      for (const container of member) if (isObject(container) && typeof container['image'] === 'string') yield container['image'];
    } else if (key === 'volumes' && Array.isArray(member)) {
      // Kubernetes 1.31: a volume may be an image
      for (const volume of member) {
        const image = isObject(volume) ? volume['image'] : undefined;
        if (isObject(image) && typeof image['reference'] === 'string') yield image['reference'];
      }
    }
    yield* imagesIn(member);
  }
}

/** The path of the value that names an image: a string that is the reference, or an object with `repository`. */
function valuesPath(values: unknown, reference: string, path: readonly string[] = []): string | undefined {
  if (typeof values === 'string') return values !== '' && values === reference ? path.join('.') : undefined;
  if (!isObject(values)) return undefined;
  const { registry, repository } = values;
  if (typeof repository === 'string' && repository !== '' && path.length > 0) {
    const image = parseReference(reference);
    const full = typeof registry === 'string' && registry !== '' ? `${registry}/${repository}` : repository;
    const named = `${image.registry}/${image.repository}`;
    if (named === full || named.endsWith(`/${full}`)) return path.join('.');
  }
  for (const [key, member] of Object.entries(values)) {
    const found = valuesPath(member, reference, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Merges values as helm does: maps by key; anything else is replaced; null removes a key. */
export function mergeValues(base: unknown, over: unknown): unknown {
  if (!isObject(base) || !isObject(over)) return over === undefined ? base : over;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete merged[key];
    else merged[key] = mergeValues(merged[key], value);
  }
  return merged;
}

function titleOf(resource: unknown): string {
  if (!isObject(resource)) return 'manifest';
  const metadata = resource['metadata'];
  const name = isObject(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : '';
  return `${typeof resource['kind'] === 'string' ? resource['kind'] : 'manifest'}${name === '' ? '' : ` ${name}`}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
