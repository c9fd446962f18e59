import { z } from 'zod';
import { digestOf, hexOf } from '../../../digest.ts';
import { AirdockError } from '../../../errors.ts';
import { content } from './content.ts';
import { asReadAgain } from './deparsed.ts';
import { JsonLines } from '../server/json-lines.ts';
import { rights } from './rights.ts';
import { schemaOfOthers } from './schema-others.ts';
import { schemaOfRelations } from './schema-relations.ts';
import { type DatabaseTarget, psql } from '../server/server.ts';
import { sessionSettings } from '../server/session.ts';
import type { SessionOptions } from '../server/snapshot.ts';

const hash = z.string().regex(/^-?\d+ -?\d+$/);

/** `fingerprint.json` of a backup: what a database holds, in a form that two databases can be compared by. */
export const fingerprint = z.strictObject({
  schema: z.literal('airdock.fingerprint/1'),
  /** By name as in SQL, `public."Odd Name"`. Hashes are xor and sum over the rows, independent of their order. */
  tables: z.record(
    z.string(),
    z.strictObject({
      rows: z.int().nonnegative(),
      content: hash,
      /** The hash with stored generated columns, which a restore computes again. */
      generated: hash.optional(),
    }),
  ),
  sequences: z.record(z.string(), z.strictObject({ value: z.string().regex(/^-?\d+$/), called: z.boolean() })),
  /** `rights`: owners, grants and comments. */
  largeObjects: z.strictObject({ count: z.int().nonnegative(), content: hash, rights: hash }),
  /** Kind (`index`, `grants on`, …) -> name -> hash of the definition; for owners and extensions the text itself. */
  objects: z.record(z.string(), z.record(z.string(), z.string())),
  /** Indexes that no query can use; a dump leaves them out. */
  invalidIndexes: z.array(z.string()),
});
export type Fingerprint = z.infer<typeof fingerprint>;

const number = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt);
const row = z.union([
  z.tuple([z.literal('rows'), z.string(), z.int(), number.nullable(), number.nullable(), number.nullable(), number.nullable()]),
  z.tuple([z.literal('sequence'), z.string(), z.string(), z.boolean()]),
  z.tuple([z.literal('objects'), z.int(), number.nullable(), number.nullable(), number.nullable(), number.nullable()]),
  z.tuple([z.literal('object'), z.string(), z.string(), z.json()]),
  z.tuple([z.literal('invalid'), z.string()]),
  z.tuple([z.literal('end')]),
]);

/**
 * Takes the fingerprint of a database, in one session of psql; every table is read in full. It shows the state of `snapshot`
 * (`withSnapshot`), or the current one; sequences always have their current state. Tested with PostgreSQL 15 only; columns of
 * catalogs that exist in some of the versions 14 to 18 only are read by name.
 * @throws AirdockError BACKUP_FAILED, INTERRUPTED
 */
export async function takeFingerprint(
  target: DatabaseTarget,
  options: SessionOptions & { snapshot?: string },
): Promise<Fingerprint> {
  const { snapshot, signal, applicationName } = options;
  const under = snapshot === undefined ? '' : `SET TRANSACTION SNAPSHOT :'snapshot';\n`;
  const sql = `${sessionSettings}${under}${content}${schemaOfRelations}${schemaOfOthers}${rights}SELECT json_build_array('end');\n`;
  const builder = new FingerprintBuilder();
  const session = {
    input: Buffer.from(sql),
    stdout: new JsonLines((line) => builder.add(row.parse(line))),
    env: { PGAPPNAME: applicationName },
    signal,
  };
  await psql(target, 'BACKUP_FAILED', session, snapshot === undefined ? {} : { snapshot });
  return builder.fingerprint();
}

type Sums = { count: number; xor: bigint; sum: bigint; xorOfAll: bigint; sumOfAll: bigint; generated: boolean };

class FingerprintBuilder {
  readonly #tables = new Map<string, Sums>();
  readonly #sequences = new Map<string, Fingerprint['sequences'][string]>();
  readonly #objects = new Map<string, Map<string, string[]>>();
  readonly #invalid: string[] = [];
  #largeObjects: Fingerprint['largeObjects'] | undefined;
  #complete = false;

  add(line: z.infer<typeof row>): void {
    switch (line[0]) {
      case 'rows':
        return this.#rows(line);
      case 'sequence':
        return void this.#sequences.set(line[1], { value: line[2], called: line[3] });
      case 'objects': {
        const [, count, ...sums] = line;
        const [xor, sum, xorOfRights, sumOfRights] = sums.map((value) => value ?? 0n);
        this.#largeObjects = { count, content: `${xor} ${sum}`, rights: `${xorOfRights} ${sumOfRights}` };
        return;
      }
      case 'object':
        return this.#object(line[1], line[2], line[3]);
      case 'invalid':
        return void this.#invalid.push(line[1]);
      case 'end':
        this.#complete = true;
    }
  }

  /** Partitions between which rows may move have one name (content.ts). */
  #rows([, name, count, ...sums]: Extract<z.infer<typeof row>, readonly ['rows', ...unknown[]]>): void {
    const [xor, sum, xorOfAll, sumOfAll] = sums.map((value) => value ?? 0n) as [bigint, bigint, bigint, bigint];
    const before = this.#tables.get(name) ?? { count: 0, xor: 0n, sum: 0n, xorOfAll: 0n, sumOfAll: 0n, generated: false };
    this.#tables.set(name, {
      count: before.count + count,
      xor: before.xor ^ xor,
      sum: before.sum + sum,
      xorOfAll: before.xorOfAll ^ xorOfAll,
      sumOfAll: before.sumOfAll + sumOfAll,
      generated: before.generated || sums[2] !== null,
    });
  }

  #object(kind: string, name: string, definition: unknown): void {
    const ofKind = this.#objects.get(kind) ?? new Map<string, string[]>();
    this.#objects.set(kind, ofKind);
    const text = JSON.stringify(definition, (_, value: unknown) => (typeof value === 'string' ? asReadAgain(value) : value));
    ofKind.set(name, [...(ofKind.get(name) ?? []), inClear.has(kind) ? String(definition) : hexOf(digestOf(text)).slice(0, 32)]);
  }

  fingerprint(): Fingerprint {
    if (!this.#complete || !this.#largeObjects) {
      throw new AirdockError('BACKUP_FAILED', 'psql ended before it had printed the whole fingerprint', {
        hint: 'Look at the log of the database service, and try again.',
      });
    }
    const tables = [...this.#tables].map(([name, { count, xor, sum, xorOfAll, sumOfAll, generated }]) => {
      const all = generated ? { generated: `${xorOfAll} ${sumOfAll}` } : {};
      return [name, { rows: count, content: `${xor} ${sum}`, ...all }] as const;
    });
    const objects = [...this.#objects].map(([kind, names]) => {
      const definitions = [...names].map(([name, values]) => [name, values.toSorted().join(' ')] as const);
      return [kind, inOrder(definitions)] as const;
    });
    return {
      schema: 'airdock.fingerprint/1',
      tables: inOrder(tables),
      sequences: inOrder([...this.#sequences]),
      largeObjects: this.#largeObjects,
      objects: inOrder(objects),
      invalidIndexes: this.#invalid.toSorted(),
    };
  }
}

const inClear = new Set(['owner', 'extension']);

function inOrder<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
