import type { Fingerprint } from './fingerprint.ts';

/**
 * Compares a database (`before`) with the database that was restored from its backup (`after`). An invalid index of `before` may
 * be missing, because no dump has it.
 * @returns a line of text for each difference
 * @example ['public.notes: 1204 rows, 1203 after the restore', 'index public.notes_slug: missing after the restore']
 */
export function compareFingerprints(before: Fingerprint, after: Fingerprint): string[] {
  const kinds = Object.keys({ ...before.objects, ...after.objects }).toSorted();
  return [
    ...pairs(before.tables, after.tables).flatMap(([name, a, b]) => tableLines(name, a, b)),
    ...pairs(before.sequences, after.sequences).flatMap(([name, a, b]) => unequal(`sequence ${name}`, position(a), position(b))),
    ...largeObjectLines(before.largeObjects, after.largeObjects),
    ...kinds.flatMap((kind) =>
      pairs(before.objects[kind], after.objects[kind]).flatMap(([name, a, b]) => objectLines(kind, name, a, b)),
    ),
    ...after.invalidIndexes
      .filter((name) => !before.invalidIndexes.includes(name))
      .map((name) => `index ${name}: invalid after the restore`),
  ];
}

type Table = Fingerprint['tables'][string];

function tableLines(name: string, a: Table | undefined, b: Table | undefined): string[] {
  if (!a || !b) return presence(name, a, b);
  if (a.rows !== b.rows) return [`${name}: ${a.rows} rows, ${b.rows} after the restore`];
  if (a.content !== b.content) return [`${name}: ${a.rows} rows, their content differs after the restore`];
  if (a.generated !== b.generated) {
    return [`${name}: generated columns hold other values after the restore, which computes them anew by their expressions`];
  }
  return [];
}

function largeObjectLines(a: Fingerprint['largeObjects'], b: Fingerprint['largeObjects']): string[] {
  if (a.count !== b.count) return [`large objects: ${a.count}, ${b.count} after the restore`];
  return [
    ...(a.content === b.content ? [] : [`large objects: ${a.count}, their content differs after the restore`]),
    ...(a.rights === b.rights ? [] : [`large objects: ${a.count}, owners, grants or comments differ after the restore`]),
  ];
}

function objectLines(kind: string, name: string, a: string | undefined, b: string | undefined): string[] {
  if (kind === 'owner') return unequal(`owner of ${name}`, a, b);
  if (kind === 'extension') return unequal(`extension ${name}`, a, b);
  if (a === b) return [];
  return a === undefined || b === undefined ? presence(`${kind} ${name}`, a, b) : [`${kind} ${name}: differs after the restore`];
}

function unequal(what: string, a: string | undefined, b: string | undefined): string[] {
  if (a === b) return [];
  return a === undefined || b === undefined ? presence(what, a, b) : [`${what}: ${a}, ${b} after the restore`];
}

function presence(what: string, a: unknown, b: unknown): string[] {
  if (a === undefined && b === undefined) return [];
  return [a === undefined ? `${what}: exists only after the restore` : `${what}: missing after the restore`];
}

/** `at 7`; `before 7` when the next value is 7 itself. */
function position(sequence: Fingerprint['sequences'][string] | undefined): string | undefined {
  return sequence && `${sequence.called ? 'at' : 'before'} ${sequence.value}`;
}

function pairs<T>(a: Record<string, T> = {}, b: Record<string, T> = {}): [string, T | undefined, T | undefined][] {
  const of = (record: Record<string, T>, name: string) => (Object.hasOwn(record, name) ? record[name] : undefined);
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted().map((name) => [name, of(a, name), of(b, name)]);
}
