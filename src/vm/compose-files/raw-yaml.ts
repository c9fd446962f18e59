import {
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  Pair,
  Scalar,
  type YAMLMap as YamlMap,
  YAMLMap,
  YAMLSeq,
} from 'yaml';
import { AirdockError } from '../../errors.ts';

/**
 * A compose file as it is written. Variables are not interpolated, so that no value of `.env` gets into it. Anchors and `<<` are
 * resolved. Every scalar is kept as text, so that `0644`, `"1"` and `yes` are written as they were read.
 */
export type Raw = (RawScalar | RawMap | RawList) & { tag?: Tag };
export type RawScalar = { kind: 'scalar'; text: string; quoted: boolean };
export type RawMap = { kind: 'map'; entries: Map<string, Raw> };
export type RawList = { kind: 'list'; items: Raw[] };
/** Compose >= 2.24: `!reset` removes the value, `!override` replaces it instead of merging. */
export type Tag = '!reset' | '!override';

export const reset: Raw = { ...plain('null'), tag: '!reset' };

export function plain(text: string): RawScalar {
  return { kind: 'scalar', text, quoted: false };
}

export function mapOf(entries: Iterable<readonly [string, Raw]> = []): RawMap {
  return { kind: 'map', entries: new Map(entries) };
}

export function override(value: Raw): Raw {
  return { ...value, tag: '!override' };
}

export function isNull(raw: Raw): boolean {
  return raw.kind === 'scalar' && !raw.quoted && /^(|~|null|Null|NULL)$/.test(raw.text);
}

/** Compares by text: where compose accepts both `8080` and `"8080"`, they mean the same. */
export function sameRaw(a: Raw, b: Raw): boolean {
  if (a.tag !== b.tag) return false;
  if (a.kind === 'scalar' && b.kind === 'scalar') return isNull(a) === isNull(b) && (isNull(a) || a.text === b.text);
  if (a.kind === 'list' && b.kind === 'list')
    return a.items.length === b.items.length && a.items.every((item, i) => sameRaw(item, b.items[i]!));
  if (a.kind !== 'map' || b.kind !== 'map' || a.entries.size !== b.entries.size) return false;
  return [...a.entries].every(([key, value]) => {
    const other = b.entries.get(key);
    return other !== undefined && sameRaw(value, other);
  });
}

/** @throws COMPOSE_INVALID */
export function parseRaw(bytes: Uint8Array | string, name: string): RawMap {
  const document = parseDocument(Buffer.from(bytes).toString('utf8'), { schema: 'failsafe', logLevel: 'silent' });
  const [error] = document.errors;
  if (error) throw invalid(name, error.message);
  const raw = convert(document, document.contents, 0, name);
  if (raw.kind === 'map') return raw;
  if (isNull(raw)) return mapOf();
  throw invalid(name, 'it is not a mapping');
}

function convert(document: Document, node: unknown, depth: number, name: string): Raw {
  if (depth > 100) throw invalid(name, 'it is nested too deeply');
  if (isAlias(node)) return convert(document, node.resolve(document), depth + 1, name);
  if (isSeq(node))
    return tagged(node, { kind: 'list', items: node.items.map((item) => convert(document, item, depth + 1, name)) });
  if (isMap(node)) return tagged(node, mapOf(entriesOf(document, node, depth, name)));
  if (!isScalar(node)) return plain('null');
  return tagged(node, {
    kind: 'scalar',
    text: typeof node.value === 'string' ? node.value : '',
    quoted: node.type !== undefined && node.type !== 'PLAIN',
  });
}

/** The map's own keys take precedence over those of `<<`, and an earlier source over a later one. */
function entriesOf(document: Document, node: YamlMap, depth: number, name: string): Map<string, Raw> {
  const entries = new Map<string, Raw>();
  const merged: Raw[] = [];
  for (const { key, value } of node.items) {
    const text = String(isScalar(key) ? key.value : key);
    const raw = convert(document, value, depth + 1, name);
    if (text === '<<') merged.push(...(raw.kind === 'list' ? raw.items : [raw]));
    else entries.set(text, raw);
  }
  for (const source of merged) {
    if (source.kind !== 'map') throw invalid(name, '<< merges something that is not a mapping');
    for (const [key, value] of source.entries) if (!entries.has(key)) entries.set(key, value);
  }
  return entries;
}

function tagged(node: { tag?: string | undefined }, raw: Raw): Raw {
  return node.tag === '!reset' || node.tag === '!override' ? { ...raw, tag: node.tag } : raw;
}

function invalid(name: string, why: string): AirdockError {
  return new AirdockError('COMPOSE_INVALID', `${name} cannot be compared: ${why}`, {
    hint: 'docker compose config shows details.',
  });
}

export function writeRaw(raw: RawMap, comment: string): Buffer {
  // failsafe: a plain scalar stays plain, whatever it looks like
  const document = new Document(null, { schema: 'failsafe' });
  document.commentBefore = comment;
  document.contents = toNode(raw) as never;
  return Buffer.from(document.toString({ lineWidth: 0 }));
}

function toNode(raw: Raw): Scalar | YAMLMap | YAMLSeq {
  const node = bare(raw);
  if (raw.tag !== undefined) node.tag = raw.tag;
  return node;
}

function bare(raw: Raw): Scalar | YAMLMap | YAMLSeq {
  if (raw.kind === 'scalar')
    return isNull(raw) ? scalar('null', 'PLAIN') : scalar(raw.text, raw.quoted ? 'QUOTE_DOUBLE' : 'PLAIN');
  if (raw.kind === 'list') {
    const list = new YAMLSeq();
    list.items = raw.items.map(toNode);
    list.flow = raw.items.length === 0;
    return list;
  }
  const map = new YAMLMap();
  map.items = [...raw.entries].map(
    ([key, value]) => new Pair(scalar(key, /^[A-Za-z_][\w.-]*$/.test(key) ? 'PLAIN' : 'QUOTE_DOUBLE'), toNode(value)),
  );
  map.flow = raw.entries.size === 0;
  return map;
}

function scalar(text: string, type: 'PLAIN' | 'QUOTE_DOUBLE'): Scalar {
  const node = new Scalar(text);
  node.type = type;
  return node;
}
export function servicesOf(file: RawMap): Map<string, Raw> {
  const services = file.entries.get('services');
  return services?.kind === 'map' ? services.entries : new Map();
}
