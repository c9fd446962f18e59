import { isNull, mapOf, override, plain, sameRaw, servicesOf, type Raw, type RawMap } from '../compose-files/raw-yaml.ts';
import { removed, set, type ComposeEdit, type Edits } from './edits.ts';

/** The operator's changes to the release's compose file: an overlay that compose merges over it, and a list for people. */
export type Comparison = { overlay: RawMap; edits: ComposeEdit[] };

/** Members of a service that may be a map, a list of `key=value`, or a list of names. */
const keyed = ['environment', 'labels', 'depends_on', 'networks'];
/** Members whose maps compose does not simply merge: the overlay replaces them as a whole. */
const whole = ['logging', 'extends', 'build', 'ulimits'];
const topLevel = ['volumes', 'networks', 'secrets', 'configs'];

/** @param secretKeys keys of `.env` that the release marks as secret, or generates */
export function compareCompose(operator: RawMap, release: RawMap, secretKeys: ReadonlySet<string> = new Set()): Comparison {
  const edits: Edits = { list: [], secretKeys };
  const overlay = mapOf();
  const name = operator.entries.get('name');
  const sections: [string, Raw | undefined][] = [['services', services(operator, release, edits)]];
  // Entries that only the release has stay: unused, they do nothing, and a later release may use them.
  for (const key of topLevel) sections.push([key, section(operator.entries.get(key), release.entries.get(key), key, edits)]);
  const include = operator.entries.get('include');
  if (include && !same(include, release.entries.get('include')))
    sections.push(['include', set(edits, { value: include, path: 'include', key: 'include' })]);
  if (name && !same(name, release.entries.get('name')))
    sections.push(['name', set(edits, { value: name, path: 'name', key: 'name' })]);
  for (const [key, value] of sections)
    if (value && !(value.kind === 'map' && value.entries.size === 0)) overlay.entries.set(key, value);
  return { overlay, edits: edits.list };
}

function services(operator: RawMap, release: RawMap, edits: Edits): RawMap {
  const overlay = mapOf();
  const declared = servicesOf(release);
  for (const [name, own] of servicesOf(operator)) {
    const base = declared.get(name);
    if (base === undefined) {
      edits.list.push({ path: name, change: 'set', value: 'a service of your own' });
      overlay.entries.set(name, override(own));
    } else if (own.kind === 'map' && base.kind === 'map') {
      const changes = compareMaps(own, base, name, edits, true);
      if (changes.entries.size > 0) overlay.entries.set(name, changes);
    }
  }
  for (const name of declared.keys()) if (!servicesOf(operator).has(name)) overlay.entries.set(name, removed(edits, name));
  return overlay;
}

function section(own: Raw | undefined, base: Raw | undefined, path: string, edits: Edits): RawMap {
  const overlay = mapOf();
  if (own?.kind !== 'map') return overlay;
  for (const [key, value] of own.entries) {
    const other = base?.kind === 'map' ? base.entries.get(key) : undefined;
    const at = `${path}.${key}`;
    if (other === undefined || (isNull(other) && !isNull(value))) overlay.entries.set(key, set(edits, { value, path: at, key }));
    else if (value.kind === 'map' && other.kind === 'map') {
      // Member by member: compose merges labels before it applies `!override` of their parent, and then refuses the result.
      const changes = compareMaps(value, other, at, edits, true);
      if (changes.entries.size > 0) overlay.entries.set(key, changes);
    } else if (!sameRaw(value, other))
      overlay.entries.set(key, set(edits, { value: override(value), path: at, key, replaced: other }));
  }
  return overlay;
}

function compareMaps(own: RawMap, base: RawMap, path: string, edits: Edits, isService = false): RawMap {
  const overlay = mapOf();
  for (const [key, value] of own.entries) {
    const other = base.entries.get(key);
    const at = `${path}.${key}`;
    if (other === undefined || isNull(other)) {
      if (!other || !sameRaw(value, other)) overlay.entries.set(key, set(edits, { value, path: at, key }));
    } else {
      const change = changed(key, value, other, at, edits, isService);
      if (change) overlay.entries.set(key, change);
    }
  }
  for (const key of base.entries.keys()) if (!own.entries.has(key)) overlay.entries.set(key, removed(edits, `${path}.${key}`));
  return overlay;
}

function changed(key: string, value: Raw, other: Raw, at: string, edits: Edits, isService: boolean): Raw | undefined {
  if (sameRaw(value, other)) return undefined;
  if (isService && keyed.includes(key)) {
    const [ownMap, baseMap] = [asMap(key, value), asMap(key, other)];
    const changes = compareMaps(ownMap, baseMap, at, edits);
    if (changes.entries.size === 0) return undefined;
    // Measured with compose 2.26 and 2.40: `!reset` of a variable does nothing to a list.
    const inList = other.kind === 'list' && [...changes.entries.values()].some((entry) => entry.tag === '!reset');
    return inList ? override(ownMap) : changes;
  }
  if (value.kind === 'map' && other.kind === 'map' && !(isService && whole.includes(key)))
    return compareMaps(value, other, at, edits);
  const kept = value.kind === 'scalar' && other.kind === 'scalar' ? value : override(value);
  return set(edits, { value: kept, path: at, key, replaced: other });
}

function asMap(key: string, raw: Raw): RawMap {
  if (raw.kind === 'map') return raw;
  if (raw.kind !== 'list') return mapOf();
  return mapOf(
    raw.items.flatMap((item): [string, Raw][] => {
      if (item.kind !== 'scalar') return [];
      if (key === 'depends_on') return [[item.text, mapOf([['condition', plain('service_started')]])]];
      if (key === 'networks') return [[item.text, plain('null')]];
      const equals = item.text.indexOf('=');
      if (equals === -1) return [[item.text, plain('null')]];
      return [[item.text.slice(0, equals), { kind: 'scalar', text: item.text.slice(equals + 1), quoted: true }]];
    }),
  );
}

function same(a: Raw, b: Raw | undefined): boolean {
  return b !== undefined && sameRaw(a, b);
}

/** Merges two overlays into one; entries of `above` take precedence. */
export function mergeOverlays(below: RawMap, above: RawMap): RawMap {
  const merged = mapOf(below.entries);
  for (const [key, value] of above.entries) {
    const other = merged.entries.get(key);
    const both = other?.kind === 'map' && value.kind === 'map' && other.tag === undefined && value.tag === undefined;
    merged.entries.set(key, both ? mergeOverlays(other, value) : value);
  }
  return merged;
}
