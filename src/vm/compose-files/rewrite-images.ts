import { type Document, isAlias, isMap, isScalar, isSeq, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { interpolate } from '../../io/compose-interpolation.ts';
import { AirdockError } from '../../errors.ts';
import { parseReference } from '../../images/reference.ts';

type Values = (key: string) => string | undefined;
/** The part of a NamedImage that is needed here. */
type Renamed = { image: { reference: string }; name: string; private: boolean };

/**
 * Replaces the `image:` of services in compose.yaml by the image's private name, if it has one; all other bytes stay. References
 * are compared interpolated and canonical. @param env values for `${VERSION}` and the like
 * @throws COMPOSE_INVALID
 */
export function rewriteCompose(composeYaml: string, names: readonly Renamed[], env: Values): string {
  const privateNames = new Map(names.filter((entry) => entry.private).map(({ image, name }) => [image.reference, name]));
  if (privateNames.size === 0) return composeYaml;
  const document = parse(composeYaml);
  const edits = new Map<number, { end: number; name: string }>();
  for (const { node, source } of servicesOf(document).flatMap((service) => imagesOf(service, document))) {
    const name = privateNames.get(canonical(String(node.value), env));
    if (name !== undefined) edits.set(source[0], { end: source[1], name });
  }
  let text = composeYaml;
  for (const [start, { end, name }] of [...edits].toSorted(([a], [b]) => b - a)) {
    // A block scalar includes the end of its line.
    const tail = text.slice(start, end).endsWith('\n') ? '\n' : '';
    text = text.slice(0, start) + name + tail + text.slice(end);
  }
  const { services = {} } = parse(text).toJS({ maxAliasCount: -1 }) as { services?: Record<string, { image?: string } | null> };
  for (const service of Object.values(services)) {
    const image = service?.image ?? '';
    if (!privateNames.has(canonical(image, env))) continue;
    throw new AirdockError('COMPOSE_INVALID', `airdock cannot replace the image ${image} in compose.yaml`, {
      hint: 'Write `image:` directly into the service that uses it.',
    });
  }
  return text;
}

type ImageScalar = { node: { value: unknown }; source: [number, number] };

/** The `image:` scalars that give a service its image: its own, or those of maps that it merges with `<<`. */
function imagesOf(service: YAMLMap, document: Document): ImageScalar[] {
  const value = service.items.find((pair) => keyOf(pair) === 'image')?.value;
  if (isAlias(value)) {
    const node = value.resolve(document);
    return isScalar(node) && value.range ? [{ node, source: [value.range[0], value.range[1]] }] : [];
  }
  if (isScalar(value)) return value.range ? [{ node: value, source: [value.range[0], value.range[1]] }] : [];
  const merged = service.items.find((pair) => keyOf(pair) === '<<')?.value;
  const sources = isSeq(merged) ? merged.items : [merged];
  return sources.flatMap((source) => {
    const map = isAlias(source) ? source.resolve(document) : source;
    return isMap(map) ? imagesOf(map, document) : [];
  });
}

function servicesOf(document: Document): YAMLMap[] {
  const services = document.get('services');
  return isMap(services) ? services.items.map((pair) => pair.value).filter(isMap) : [];
}

function keyOf(pair: Pair): unknown {
  // with `merge`, the value of the key << is a symbol
  return isScalar(pair.key) ? (pair.key.source ?? pair.key.value) : undefined;
}

function parse(text: string): Document {
  const document = parseDocument(text, { merge: true });
  const [error] = document.errors;
  if (error) throw new AirdockError('COMPOSE_INVALID', `compose.yaml is not valid YAML: ${error.message}`, { cause: error });
  return document;
}

/** '' for an invalid reference, about which compose gives the better message. */
function canonical(image: string, env: Values): string {
  try {
    return parseReference(interpolate(image, env)).canonical;
  } catch {
    return '';
  }
}
