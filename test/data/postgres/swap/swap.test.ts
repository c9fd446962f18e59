// One table for both sides: what a swap and its way back make of the databases of a server, whatever somebody did meanwhile.
import { describe, expect, test } from 'vitest';
import type { DatabaseId } from '../../../../src/data/postgres/swap/admin.ts';
import type { LiveNameHolder } from '../../../../src/data/postgres/swap/swap.ts';
import { isAirdockError } from '../../../../src/errors.ts';
import { bringDatabaseBack, swapIn } from '../../../../src/kubernetes/steps/swap.ts';
import { liveDatabase } from '../../../../src/vm/database/assert-swapped.ts';
import { swapOf } from '../../../../src/vm/database/swap-record.ts';
import type { Plan } from '../../../../src/vm/plan/document.ts';
import { swap } from '../../../../src/vm/transaction/steps/swap.ts';
import { swapDatabaseBack } from '../../../../src/vm/transaction/undo-database.ts';
import { kubernetesSide, release, vmSide, type VmSide } from '../../../helpers/database-sides.ts';
import { FakePostgres, type FakeDatabase } from '../../../helpers/fake-postgres.ts';

type Databases = Record<string, FakeDatabase>;
const [next, aside] = ['airdock_1_next', 'shop_0_3_0_t1'];
const [oldOid, newOid, strangerOid] = [16384, 17000, 18000];
const open = (oid: number): FakeDatabase => ({ oid, open: true });
const fenced = (oid: number): FakeDatabase => ({ oid, open: false });
const old: DatabaseId = { name: 'shop', oid: oldOid };
const written = { next: { name: next, oid: newOid }, aside };

/** What became of it, and of the databases. */
type Outcome = { databases: Databases; error: string | undefined; said: string };
async function outcome(server: FakePostgres, work: Promise<unknown>): Promise<Outcome> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error !== undefined && !isAirdockError(error)) throw error;
  return { databases: server.databases, error: error?.code, said: error?.message ?? '' };
}

function quiesced({ site, record }: VmSide, swapped = false): void {
  site.journal.record(record.id, 'quiesce', 'intent', { live: old, services: {}, shut: [] });
  const releases = { release: '0.3.0', schemaRelease: '0.3.0', nextSchemaRelease: '0.4.0' };
  if (swapped) site.journal.record(record.id, 'swap', 'intent', { live: old, ...written, ...releases });
}

describe('swapped in', () => {
  const onVm = async (server: FakePostgres): Promise<Outcome & { noted: unknown }> => {
    await using side = await vmSide(server);
    quiesced(side);
    const { site, record } = side;
    const transaction = { site, record, plan: { restore: null } as unknown as Plan, target: { ...release, files: [] } };
    const both = async () => {
      const { detail = {} } = await swap.prepare(transaction as never);
      site.journal.record(record.id, 'swap', 'intent', detail);
      await swap.run(transaction as never);
    };
    const result = await outcome(server, both());
    const { live, next: comes, aside: name } = swapOf(site, record.id) ?? {};
    return { ...result, noted: live && { live, next: comes, aside: name } };
  };
  const onKubernetes = async (server: FakePostgres): Promise<Outcome & { noted: unknown }> => {
    const { site, running, database } = kubernetesSide(server, { live: old });
    const result = await outcome(server, swapIn(site, running, database, next, aside));
    const { live, next: comes, aside: name } = running.transaction.undo ?? {};
    return { ...result, noted: comes ? { live, next: comes, aside: name } : undefined };
  };

  test.each<[string, Databases, Partial<Outcome> & { noted: unknown }]>([
    [
      'by OID, and both are fenced; it was written down before',
      { shop: fenced(oldOid), [next]: open(newOid) },
      { databases: { shop: fenced(newOid), [aside]: fenced(oldOid) }, error: undefined, noted: { live: old, ...written } },
    ],
    [
      'not, where another database has the live name since',
      { shop: open(strangerOid), mine: fenced(oldOid), [next]: open(newOid) },
      {
        databases: { shop: open(strangerOid), mine: fenced(oldOid), [next]: open(newOid) },
        error: 'STEP_FAILED',
        said: 'shop is another database than when the transaction began: somebody renamed it',
        noted: undefined,
      },
    ],
    [
      'not, where the one that is to come in is gone',
      { shop: fenced(oldOid) },
      { databases: { shop: fenced(oldOid) }, error: 'STEP_FAILED', said: `the server has no database ${next}`, noted: undefined },
    ],
    [
      'not half: where the name aside is taken, both names stay',
      { shop: fenced(oldOid), [next]: open(newOid), [aside]: open(strangerOid) },
      {
        databases: { shop: fenced(oldOid), [next]: fenced(newOid), [aside]: open(strangerOid) },
        error: 'STEP_FAILED',
        noted: { live: old, ...written },
      },
    ],
  ])('%s', async (_what, databases, expected) => {
    for (const side of [onVm, onKubernetes])
      expect(await side(new FakePostgres(structuredClone(databases))), side.name).toMatchObject(expected);
  });
});

describe('swapped back', () => {
  type Case = { databases: Databases; swapped: boolean; inPlace: LiveNameHolder; after: Databases | string };
  const neither = `neither the old one (OID ${oldOid}) nor the new one (OID ${newOid})`;
  const onVm = async (server: FakePostgres, { swapped }: Case): Promise<Outcome> => {
    await using side = await vmSide(server);
    quiesced(side, swapped);
    return await outcome(server, swapDatabaseBack(side.site, side.record));
  };
  const onKubernetes = async (server: FakePostgres, { swapped }: Case): Promise<Outcome> => {
    const { running, database } = kubernetesSide(server, { live: old, ...(swapped ? written : {}) });
    return outcome(server, bringDatabaseBack(database, running, true));
  };

  test.each<[string, Case]>([
    [
      'writers were stopped, and no more: it is opened',
      { databases: { shop: fenced(oldOid) }, swapped: false, inPlace: 'old', after: { shop: open(oldOid) } },
    ],
    [
      'the old one is in place: it is opened',
      {
        databases: { shop: fenced(oldOid), [next]: fenced(newOid) },
        swapped: true,
        inPlace: 'old',
        after: { shop: open(oldOid), [next]: fenced(newOid) },
      },
    ],
    [
      'half way: the old one is in place and open, or the other one is still open',
      {
        databases: { shop: open(oldOid), [next]: open(newOid) },
        swapped: true,
        inPlace: 'old',
        after: { shop: open(oldOid), [next]: open(newOid) },
      },
    ],
    [
      'the new one is in place: it goes, the old one comes back',
      {
        databases: { shop: open(newOid), [aside]: fenced(oldOid) },
        swapped: true,
        inPlace: 'new',
        after: { shop: open(oldOid), [next]: fenced(newOid) },
      },
    ],
    [
      'a stranger is in place: it is not touched, not even fenced',
      {
        databases: { shop: open(strangerOid), [aside]: fenced(oldOid), [next]: fenced(newOid) },
        swapped: true,
        inPlace: 'other',
        after: `the database named shop (OID ${strangerOid}) is ${neither}`,
      },
    ],
    [
      'a stranger is in place before anything was swapped',
      {
        databases: { shop: open(strangerOid), mine: fenced(oldOid) },
        swapped: false,
        inPlace: 'other',
        after: `the database named shop (OID ${strangerOid}) is not the old one (OID ${oldOid})`,
      },
    ],
    [
      'the old one was renamed by hand: no database has the live name',
      {
        databases: { mine: open(oldOid), [next]: fenced(newOid) },
        swapped: true,
        inPlace: 'other',
        after: `no database is named shop: ${neither} is`,
      },
    ],
    [
      'the new one is in place, and the old one was renamed by hand: the new one stays open',
      {
        databases: { shop: open(newOid), mine: fenced(oldOid) },
        swapped: true,
        inPlace: 'new',
        after: `the old database (OID ${oldOid}) is called mine, not ${aside}`,
      },
    ],
    [
      'the kept database was dropped, and another one has its name',
      {
        databases: { shop: open(newOid), [aside]: open(strangerOid) },
        swapped: true,
        inPlace: 'new',
        after: `the old database (OID ${oldOid}) was dropped`,
      },
    ],
  ])('%s', async (_what, one) => {
    const expected: Partial<Outcome> =
      typeof one.after === 'string'
        ? { databases: one.databases, error: 'UNDO_FAILED', said: one.after }
        : { databases: one.after, error: undefined };
    for (const side of [onVm, onKubernetes])
      expect(await side(new FakePostgres(structuredClone(one.databases)), one), side.name).toMatchObject(expected);
    await using vm = await vmSide(new FakePostgres(one.databases));
    quiesced(vm, one.swapped);
    expect(await liveDatabase(vm.site, vm.record)).toBe(one.swapped ? one.inPlace : 'none');
  });
});
