import { type Document, isAlias, isMap, isScalar, isSeq, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { interpolate } from '../../io/compose-interpolation.ts';
import { AirdockError } from '../../errors.ts';
import { parseReference } from '../../images/reference.ts';

type Values = (key: string) => string | undefined;
/** A NamedImage, as far as it matters here. */
type Renamed = { image: { reference: string }; name: string; private: boolean };

/**
 * compose.yaml with the `image:` of each service whose reference (interpolated, canonical) has a private name replaced by
 * that name; all other bytes stay. `env` gives the values for `${VERSION}` and the like.
 * @throws COMPOSE_INVALID
 */
export function rewriteCompose(composeYaml: string, names: readonly Renamed[], env: Values): string {
  const wanted = new Map(names.filter((entry) => entry.private).map(({ image, name }) => [image.reference, name]));
  if (wanted.size === 0) return composeYaml;
  const document = parse(composeYaml);
  const edits = new Map<number, { end: number; name: string }>();
  for (const { node, source } of servicesOf(document).flatMap((service) => imagesOf(service, document))) {
    const name = wanted.get(canonical(String(node.value), env));
    if (name !== undefined) edits.set(source[0], { end: source[1], name });
  }
  let text = composeYaml;
  for (const [start, { end, name }] of [...edits].toSorted(([a], [b]) => b - a)) {
    // A block scalar ends behind its line.
    const tail = text.slice(start, end).endsWith('\n') ? '\n' : '';
    text = text.slice(0, start) + name + tail + text.slice(end);
  }
  const { services = {} } = parse(text).toJS({ maxAliasCount: -1 }) as { services?: Record<string, { image?: string } | null> };
  for (const service of Object.values(services)) {
    const image = service?.image ?? '';
    if (!wanted.has(canonical(image, env))) continue;
    throw new AirdockError('COMPOSE_INVALID', `airdock cannot replace the image ${image} in compose.yaml`, {
      hint: 'Write `image:` out in the service that uses it.',
    });
  }
  return text;
}

type Found = { node: { value: unknown }; source: [number, number] };

/** The `image:` scalars that make a service's image: its own, else those of the maps that it merges in with `<<`. */
function imagesOf(service: YAMLMap, document: Document): Found[] {
  const own = service.items.find((pair) => keyOf(pair) === 'image')?.value;
  if (isAlias(own)) {
    const node = own.resolve(document);
    return isScalar(node) && own.range ? [{ node, source: [own.range[0], own.range[1]] }] : [];
  }
  if (isScalar(own)) return own.range ? [{ node: own, source: [own.range[0], own.range[1]] }] : [];
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

/** '' for what is no reference: compose will say so better. */
function canonical(image: string, env: Values): string {
  try {
    return parseReference(interpolate(image, env)).canonical;
  } catch {
    return '';
  }
}
