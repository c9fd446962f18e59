// One table for both sides: which rows a rollback leaves aside, and what becomes of it when they cannot be counted.
import { describe, expect, test } from 'vitest';
import type { TableDifference } from '../../../../src/data/postgres/compare/difference.ts';
import type { ProgressEvent } from '../../../../src/events.ts';
import { withRowsSince } from '../../../../src/kubernetes/database/rows-left-aside.ts';
import { countAfterSwap, countBeforeSwap, removeSpool } from '../../../../src/vm/kept-databases/rows-left-aside.ts';
import { kubernetesSide, vmSide } from '../../../helpers/database-sides.ts';
import { FakePostgres } from '../../../helpers/fake-postgres.ts';

const keptName = 'shop_0_3_0_t1';
const [kept, aside] = [
  { name: keptName, oid: 16384 },
  { name: 'shop_0_4_0_t2', oid: 17000 },
];
const newServer = () =>
  new FakePostgres({
    shop: { oid: aside.oid, open: true, rows: { 1: 11, 2: 99, 4: 44 } },
    [keptName]: { oid: kept.oid, open: false, rows: { 1: 11, 2: 22, 3: 33 } },
  });
/** The one that was kept is live, the one that was live is put aside, with one more row. */
const swapped = (server: FakePostgres): void => {
  server.databases = {
    shop: { ...server.databases[keptName]!, open: true },
    [aside.name]: { oid: aside.oid, open: false, rows: { 1: 11, 2: 99, 4: 44, 5: 55 } },
  };
};

type Counted = { since: TableDifference[] | null; left: TableDifference[] | null; steps: string[] };
type Meanwhile = { since?: (server: FakePostgres) => void; left?: (server: FakePostgres) => void };

async function onVm(server: FakePostgres, meanwhile: Meanwhile, signal?: AbortSignal): Promise<Counted> {
  await using side = await vmSide(server, undefined, signal);
  const { site } = side;
  const record = { release: '0.3.0', schemaRelease: '0.3.0', keptAt: '2026-11-27T17:00:00Z', backup: null };
  site.state.keepDatabase({ ...kept, ...record, transaction: 1 });
  meanwhile.since?.(server);
  try {
    const { since, spool } = await countBeforeSwap(site, kept.name);
    swapped(server);
    site.state.keepDatabase({ ...aside, ...record, transaction: 2 });
    meanwhile.left?.(server);
    const left = spool ? await countAfterSwap(site, 2, spool) : null;
    return { since, left, steps: steps(side.events) };
  } finally {
    await removeSpool(site);
  }
}

async function onKubernetes(server: FakePostgres, meanwhile: Meanwhile, signal?: AbortSignal): Promise<Counted> {
  const { site, database, events } = kubernetesSide(server, null, undefined, signal);
  meanwhile.since?.(server);
  return withRowsSince(site, database, kept, async (rows) => {
    swapped(server);
    meanwhile.left?.(server);
    const left = (await rows?.left(aside)) ?? null;
    return { since: rows?.since ?? null, left, steps: steps(events) };
  });
}

const steps = (events: readonly ProgressEvent[]): string[] =>
  events.flatMap((event) => (event.type === 'step-ended' ? [`${event.step} ${event.outcome}: ${event.summary}`] : []));
const sides = [onVm, onKubernetes];
const unread = (reason: string) => `failed: the rows that differ could not be counted: psql in db failed: ERROR:  ${reason}`;

describe('rows left aside', () => {
  test.each<[string, Meanwhile, Counted]>([
    [
      'are counted before anybody agrees, and again when they are final',
      {},
      {
        since: [{ table: 'public.notes', gained: 1, changed: 1, lost: 1 }],
        left: [{ table: 'public.notes', gained: 2, changed: 1, lost: 1 }],
        steps: ['compare done: notes +1 ~1 -1', 'left aside done: notes +2 ~1 -1'],
      },
    ],
    [
      'are not known when the kept database is another one, or gone: the way back is as free as before',
      { since: (server) => delete server.databases[keptName] && (server.databases[keptName] = { oid: 18000, open: false }) },
      { since: null, left: null, steps: [`compare ${unread('division by zero')}`] },
    ],
    [
      'are not known when it cannot be read',
      { since: (server) => (server.refuses = 'COPY (') },
      { since: null, left: null, steps: [`compare ${unread('it refuses COPY (')}`] },
    ],
    [
      'are known before, and not in the end, when what was put aside cannot be read',
      { left: (server) => (server.refuses = 'COPY (') },
      {
        since: [{ table: 'public.notes', gained: 1, changed: 1, lost: 1 }],
        left: null,
        steps: ['compare done: notes +1 ~1 -1', `left aside ${unread('it refuses COPY (')}`],
      },
    ],
  ])('%s', async (_what, meanwhile, expected) => {
    for (const side of sides) {
      const server = newServer();
      expect(await side(server, meanwhile), side.name).toEqual(expected);
      // who was opened to be read is fenced again
      expect(server.databases[aside.name]).toMatchObject({ oid: aside.oid, open: false });
    }
  });

  test('an interruption is no row that could not be counted: it ends the command, and the kept database is fenced', async () => {
    for (const side of sides) {
      const [server, stop] = [newServer(), new AbortController()];
      const wasOpen: (boolean | undefined)[] = [];
      server.onStatement = (sql) => {
        if (!sql.includes('COPY (')) return;
        wasOpen.push(server.databases[keptName]?.open);
        stop.abort(new Error('SIGINT'));
      };
      await expect(side(server, {}, stop.signal), side.name).rejects.toThrow('SIGINT');
      expect(wasOpen[0]).toBe(true);
      expect(server.databases[keptName]?.open).toBe(false);
    }
  });
});
