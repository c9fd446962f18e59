import type { Readable } from 'node:stream';
import { AirdockError } from '../../../errors.ts';
import type { ExecOptions } from '../../../io/compose.ts';
import type { Fingerprint } from '../compare/fingerprint.ts';
import { type DatabaseTarget, runTool } from '../server/server.ts';

type Sequences = Fingerprint['sequences'];

/** As many numbers as fit into one argument of a command (128 KiB). */
const atOnce = 10_000;

/**
 * Reads the positions of sequences from the dump. A snapshot does not cover sequences: pg_dump reads their positions at some
 * moment, and a fingerprint taken while others write has those of another moment. The names are those of the fingerprint.
 * @throws AirdockError BACKUP_FAILED, also when the dump and the fingerprint do not know the same sequences
 */
export async function dumpedSequences(
  target: DatabaseTarget,
  dump: () => Promise<Readable>,
  taken: Sequences,
  options: ExecOptions,
): Promise<Sequences> {
  const read = async (command: string[]) => runTool(target, 'BACKUP_FAILED', command, { ...options, input: await dump() });
  const { stdout: list } = await read(['pg_restore', '--list']);
  const entries = [...list.matchAll(/^(\d+); \d+ \d+ SEQUENCE SET /gm)].map(([, id]) => `${id};`);
  const dumped = new Map<string, Sequences[string]>();
  for (let from = 0; from < entries.length; from += atOnce) {
    const selected = entries.slice(from, from + atOnce).join('\n');
    // the dump is on stdin, the list of entries to write on another descriptor
    const script = 'pg_restore -f - -L /dev/fd/3 3<<LIST\n$1\nLIST';
    const { stdout } = await read(['sh', '-c', script, 'sh', selected]);
    for (const [name, position] of positions(stdout)) dumped.set(name, position);
  }
  const names = Object.keys(taken);
  const missing = names.find((name) => !dumped.has(parts(name)));
  if (missing !== undefined || dumped.size !== names.length) {
    throw new AirdockError('BACKUP_FAILED', `the dump does not hold the same sequences as the database: ${missing ?? 'more'}`, {
      hint: 'Sequences may have been created or dropped meanwhile: try again.',
    });
  }
  return Object.fromEntries(names.map((name) => [name, dumped.get(parts(name)) ?? { value: '0', called: false }]));
}

const setval = /^SELECT pg_catalog\.setval\((E?)'((?:[^']|'')*)', (-?\d+), (true|false)\);$/gm;

function positions(sql: string): [string, Sequences[string]][] {
  return [...sql.matchAll(setval)].map(([, escaped, literal = '', value = '', called]) => {
    const name = literal.replaceAll("''", "'");
    return [parts(escaped ? name.replaceAll('\\\\', '\\') : name), { value, called: called === 'true' }];
  });
}

/** A name like `public."Odd"` without its quotes: the server and pg_dump may quote differently. */
function parts(name: string): string {
  return JSON.stringify(
    [...name.matchAll(/"((?:[^"]|"")*)"|[^."]+/g)].map(([plain, quoted]) => quoted?.replaceAll('""', '"') ?? plain),
  );
}
