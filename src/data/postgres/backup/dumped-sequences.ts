import type { Readable } from 'node:stream';
import { AirdockError } from '../../../errors.ts';
import type { ExecOptions } from '../../../io/compose.ts';
import type { Fingerprint } from '../compare/fingerprint.ts';
import { type DatabaseTarget, tool } from '../server/server.ts';

type Sequences = Fingerprint['sequences'];

/** So many numbers fit into one argument of a command (128 KiB). */
const atOnce = 10_000;

/**
 * The sequences as the dump holds them. A sequence is part of no snapshot: pg_dump reads where it stands at that moment, so
 * a fingerprint taken beside writers would tell of another moment. The names are those of the fingerprint.
 * @throws AirdockError BACKUP_FAILED, also when the dump and the fingerprint do not know the same sequences
 */
export async function dumpedSequences(
  target: DatabaseTarget,
  dump: () => Promise<Readable>,
  taken: Sequences,
  options: ExecOptions,
): Promise<Sequences> {
  const read = async (command: string[]) => tool(target, 'BACKUP_FAILED', command, { ...options, input: await dump() });
  const { stdout: list } = await read(['pg_restore', '--list']);
  const entries = [...list.matchAll(/^(\d+); \d+ \d+ SEQUENCE SET /gm)].map(([, id]) => `${id};`);
  const found = new Map<string, Sequences[string]>();
  for (let from = 0; from < entries.length; from += atOnce) {
    const wanted = entries.slice(from, from + atOnce).join('\n');
    // the dump is on stdin, the list of entries to write on another descriptor
    const script = 'pg_restore -f - -L /dev/fd/3 3<<LIST\n$1\nLIST';
    const { stdout } = await read(['sh', '-c', script, 'sh', wanted]);
    for (const [name, position] of positions(stdout)) found.set(name, position);
  }
  const names = Object.keys(taken);
  const missing = names.find((name) => !found.has(parts(name)));
  if (missing !== undefined || found.size !== names.length) {
    throw new AirdockError('BACKUP_FAILED', `the dump does not hold the same sequences as the database: ${missing ?? 'more'}`, {
      hint: 'Were sequences made or dropped meanwhile? Try again.',
    });
  }
  return Object.fromEntries(names.map((name) => [name, found.get(parts(name)) ?? { value: '0', called: false }]));
}

const setval = /^SELECT pg_catalog\.setval\((E?)'((?:[^']|'')*)', (-?\d+), (true|false)\);$/gm;

function positions(sql: string): [string, Sequences[string]][] {
  return [...sql.matchAll(setval)].map(([, escaped, literal = '', value = '', called]) => {
    const name = literal.replaceAll("''", "'");
    return [parts(escaped ? name.replaceAll('\\\\', '\\') : name), { value, called: called === 'true' }];
  });
}

/** `public."Odd"`: the server and pg_dump need not quote the same names. */
function parts(name: string): string {
  return JSON.stringify(
    [...name.matchAll(/"((?:[^"]|"")*)"|[^."]+/g)].map(([plain, quoted]) => quoted?.replaceAll('""', '"') ?? plain),
  );
}
