// The whole way on a cluster: install, upgrades of every class, what fails and who keeps serving, the way back with the database.
// `./scripts/test --cluster` has a real one; elsewhere what it said is played back.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type Answer, type Kind } from '../helpers/cluster.ts';
import type { Asked } from '../helpers/recording.ts';

const isHelm = ({ tool, args }: Asked): boolean => tool === 'helm' && args[0] === 'upgrade';
type At = { at: string; when: (asked: Asked) => boolean; who: 'caller' | 'both' | 'asked'; behindAFailure?: true };
const isTrial = ({ input }: Asked): boolean => input.includes('"airdock-trial-');
const kills: At[] = [
  { at: 'as writers stop', when: ({ args }: Asked) => args.includes('scale'), who: 'caller' },
  { at: 'as it copies', when: ({ input }: Asked) => input.includes('CREATE DATABASE'), who: 'caller' },
  { at: 'as it tries the new code', when: isTrial, who: 'caller' },
  { at: 'as it tries the new code, behind a revision that failed', when: isTrial, who: 'caller', behindAFailure: true },
  { at: 'while helm goes on', when: isHelm, who: 'caller' },
  { at: 'and helm with it', when: isHelm, who: 'both' },
  { at: 'by Ctrl-C while helm works', when: isHelm, who: 'asked' },
];

const withoutDuplicates = 'DELETE FROM notes a USING notes b WHERE a.slug = b.slug AND a.id > b.id';

/** Declares it, for one helm and one place of the database. */
export function wholeWay({ helm, database }: Kind): void {
  describe(`helm ${helm}, database: ${database}`, () => {
    let cluster: Cluster;
    let rows: string;
    beforeAll(async () => {
      cluster = await Cluster.fresh(`nodepad-${helm}-${database}`, { helm, database });
    });
    afterAll(() => cluster?.remove());
    afterEach(() => expect(cluster.problems).toEqual([]));
    const succeed = async (work: Promise<Answer>) => {
      const answer = await work;
      expect(answer.exitCode, answer.stdout + answer.stderr).toBe(0);
      return answer.json;
    };

    /** helm keeps a failed revision above the one that is deployed. */
    const failsInItsHook = async (): Promise<void> => {
      await cluster.seed('--rows', '4', '--object-bytes', '300', '--duplicate-slugs', '2');
      const { exitCode, stdout, stderr } = await cluster.upgrade('0.3.1', '--no-rehearsal', '--allow-downgrade');
      expect(exitCode, stdout + stderr).toBe(6);
      await cluster.sql(withoutDuplicates);
    };

    test('install 0.2.4', async () => {
      const done = await succeed(cluster.upgrade('0.2.4'));
      expect(done).toMatchObject({ from: null, current: '0.2.4', transaction: 1, backup: null, revision: 1 });
      expect(await cluster.answering()).toBe('0.2.4');
      await cluster.seed('--rows', '60', '--object-bytes', '300', '--duplicate-slugs', '3');
      rows = await cluster.fingerprint();
    });

    test('0.3.0, expand: backed up, proven, rehearsed; the old pods answer until the new ones do', async () => {
      const { result, wrong } = await cluster.watch(['0.2.4', '0.3.0'], () => cluster.upgrade('0.3.0'));
      expect(result.exitCode, result.stdout + result.stderr).toBe(0);
      expect(result.json).toMatchObject({ from: '0.2.4', current: '0.3.0', class: 'expand', revision: 2 });
      expect(result.stderr).toContain('proven in');
      expect(wrong).toEqual([]);
      expect(await cluster.answering()).toBe('0.3.0');
      expect(await cluster.fingerprint()).toBe(rows);
      expect(await cluster.kubectl('get', 'pods,networkpolicies', '-l', 'airdock.dev/scratch', '-o', 'name')).toBe('');
      expect(await cluster.kubectl('get', 'pods,secrets', '-l', 'airdock.dev/tools', '-o', 'name')).toBe('');
    });

    test('0.3.1 fails in its rehearsal: helm is not even asked', async () => {
      const pods = await cluster.pods();
      const { result, wrong, silent } = await cluster.watch(['0.3.0'], () => cluster.upgrade('0.3.1'));
      expect([result.exitCode, result.json['code']], result.stderr).toEqual([6, 'MIGRATION_FAILED']);
      expect(result.json['message']).toMatch(/slug/);
      expect([wrong, silent]).toEqual([[], 0]);
      expect(await cluster.pods()).toEqual(pods);
      expect(JSON.parse(await cluster.helm('history', 'nodepad', '-o', 'json'))).toHaveLength(2);
    });

    test('0.3.1 without a rehearsal fails in its hook: the report has its log, 0.3.0 keeps serving on the same pods', async () => {
      const pods = await cluster.pods();
      const { result, wrong, silent } = await cluster.watch(['0.3.0'], () =>
        cluster.upgrade('0.3.1', '--no-rehearsal', '--timeout', '240'),
      );
      expect([result.exitCode, result.json['code']], result.stderr).toEqual([6, 'MIGRATION_FAILED']);
      expect(result.json['message']).toMatch(/duplicat|unique/i);
      expect([wrong, silent]).toEqual([[], 0]);
      expect(await cluster.pods()).toEqual(pods);
      expect(await cluster.fingerprint()).toBe(rows);
      const { json } = await cluster.airdock('status');
      expect(json).toMatchObject({ current: '0.3.0', interrupted: null });
    });

    test('0.4.0, irreversible: writers stop, the database changes, replicas are as they were; the old one is kept', async () => {
      await cluster.sql(withoutDuplicates);
      rows = await cluster.fingerprint();
      const before = await cluster.replicas();
      const done = await succeed(cluster.upgrade('0.4.0'));
      expect(done).toMatchObject({ from: '0.3.0', current: '0.4.0', class: 'irreversible' });
      expect(await cluster.answering()).toBe('0.4.0');
      expect(await cluster.replicas()).toBe(before);
      expect(await cluster.fingerprint()).toBe(rows);
      const { json } = await cluster.airdock('status');
      expect(json).toMatchObject({ current: '0.4.0', drift: [], keptDatabases: [{ release: '0.3.0' }] });
      expect(json['releases']).toContainEqual(expect.objectContaining({ version: '0.3.0', rollback: 'database' }));
    });

    test('back to 0.3.0: refused without --restore-database; with it, the old rows are live and today’s are kept', async () => {
      await cluster.seed('--rows', '7', '--object-bytes', '300');
      const refused = await cluster.airdock('rollback', '0.3.0', '--yes');
      expect([refused.exitCode, refused.json['code']]).toEqual([2, 'RESTORE_DATABASE_NEEDED']);
      expect(await cluster.answering()).toBe('0.4.0');
      const before = await cluster.replicas();
      const since = expect.arrayContaining([{ table: 'public.notes', gained: 7, changed: 0, lost: 0 }]);
      const plan = await succeed(cluster.airdock('rollback', '0.3.0', '--restore-database', '--plan'));
      expect(plan).toMatchObject({
        kind: 'rollback',
        from: '0.4.0',
        to: '0.3.0',
        stops: ['api', 'worker', 'beat'],
        since,
        findings: [],
      });
      expect(plan['steps']).toEqual(['quiesce', 'swap', 'rollback', 'health']);
      expect(await cluster.answering()).toBe('0.4.0');
      const back = await cluster.airdock('rollback', '0.3.0', '--restore-database', '--yes');
      expect(back.stderr).toMatch(/"step":"health","outcome":"done","summary":"\d checks green/);
      const done = await succeed(Promise.resolve(back));
      expect(done).toMatchObject({ from: '0.4.0', current: '0.3.0', leftAside: since });
      expect(await cluster.answering()).toBe('0.3.0');
      expect(await cluster.fingerprint()).toBe(rows);
      expect(await cluster.replicas()).toBe(before);
      // nothing is lost: what was written to 0.4.0 lies in the kept database
      const kept = String(done['keptDatabase']);
      await cluster.sql(`ALTER DATABASE "${kept}" ALLOW_CONNECTIONS true`, 'postgres');
      const [live, aside] = [
        await cluster.sql('SELECT count(*) FROM notes'),
        await cluster.sql('SELECT count(*) FROM notes', kept),
      ];
      expect(Number(aside) - Number(live)).toBe(7);
      await cluster.sql(`ALTER DATABASE "${kept}" ALLOW_CONNECTIONS false`, 'postgres');
    });

    test.each(kills)(
      'killed $at: nobody else may begin; resume ends with one version and its rows',
      async ({ when, who, behindAFailure }) => {
        if (behindAFailure) await failsInItsHook();
        const before = await cluster.replicas();
        const now = await cluster.fingerprint();
        await cluster.killedAt(when, who, '0.4.0', '--no-rehearsal');
        expect((await cluster.airdock('status')).json).toMatchObject({ interrupted: { kind: 'upgrade', to: '0.4.0' } });
        const other = await cluster.upgrade('0.4.0', '--no-rehearsal');
        expect([other.exitCode, other.json['code']], other.stderr).toEqual([8, 'LOCKED']);
        const { resumed } = (await succeed(cluster.airdock('resume', '--yes'))) as { resumed: { outcome: string } };
        const serves = resumed.outcome === 'done' ? '0.4.0' : '0.3.0';
        expect(await cluster.answering()).toBe(serves);
        expect(await cluster.fingerprint()).toBe(now);
        expect(await cluster.replicas()).toBe(before);
        expect((await cluster.airdock('status')).json).toMatchObject({ current: serves, interrupted: null, drift: [] });
        expect((await succeed(cluster.airdock('resume', '--yes')))['resumed']).toBeNull();
        expect(await cluster.kubectl('get', 'pods', '-l', 'airdock.dev/release', '-o', 'name')).toBe('');
        if (serves === '0.4.0') await succeed(cluster.airdock('rollback', '0.3.0', '--restore-database', '--yes'));
      },
    );

    test('back to 0.3.0, which is not well: today’s database is live again with its code, and the one that came back is kept', async () => {
      await succeed(cluster.upgrade('0.4.0', '--no-rehearsal'));
      const [now, before] = [await cluster.fingerprint(), await cluster.replicas()];
      const { json } = await cluster.airdock('status');
      const kept = (json['keptDatabases'] as { name: string }[]).at(-1)?.name ?? '';
      const inKept = async (statement: string): Promise<void> => {
        await cluster.sql(`ALTER DATABASE "${kept}" ALLOW_CONNECTIONS true`, 'postgres');
        await cluster.sql(statement, kept);
        await cluster.sql(`ALTER DATABASE "${kept}" ALLOW_CONNECTIONS false`, 'postgres');
      };
      await inKept('ALTER TABLE notes RENAME TO away');
      const back = await cluster.airdock('rollback', '0.3.0', '--restore-database', '--yes');
      expect([back.exitCode, back.json['code']], back.stderr).toEqual([6, 'HEALTH_FAILED']);
      expect(back.stderr).toContain('0.4.0 is serving again');
      expect(await cluster.answering()).toBe('0.4.0');
      expect([await cluster.fingerprint(), await cluster.replicas()]).toEqual([now, before]);
      const after = await cluster.airdock('status');
      expect(after.json).toMatchObject({ current: '0.4.0', interrupted: null, drift: [] });
      await inKept('ALTER TABLE away RENAME TO notes');
      await succeed(cluster.airdock('rollback', '0.3.0', '--restore-database', '--yes'));
      expect(await cluster.answering()).toBe('0.3.0');
    });

    test('a kept database that was dropped by hand: nobody offers it, and the backup comes back', async () => {
      const now = await cluster.fingerprint();
      await succeed(cluster.upgrade('0.4.0', '--no-rehearsal'));
      const kept = async () =>
        ((await cluster.airdock('status')).json['keptDatabases'] as { name: string }[]).map(({ name }) => name);
      const name = (await kept()).at(-1) ?? '';
      await cluster.sql(`DROP DATABASE "${name}"`, 'postgres');
      // one that is elsewhere is not asked for a status
      expect((await kept()).includes(name)).toBe(database === 'external');
      const [backups, away] = [join(cluster.folder, 'backups'), join(cluster.folder, 'away')];
      await rename(backups, away);
      const elsewhere = await cluster.airdock('rollback', '0.3.0', '--restore-database', '--yes');
      expect([elsewhere.exitCode, elsewhere.json['code']]).toEqual([5, 'ROLLBACK_REFUSED']);
      expect(elsewhere.json['message']).toMatch(/is not in .*backups: .*@.* made it/);
      await rename(away, backups);
      expect(await cluster.answering()).toBe('0.4.0');
      const plan = await succeed(cluster.airdock('rollback', '0.3.0', '--restore-database', '--plan'));
      expect(plan).toMatchObject({ comesBack: expect.stringMatching(/^the backup nodepad-/), since: null });
      await succeed(cluster.airdock('rollback', '0.3.0', '--restore-database', '--yes'));
      expect(await cluster.answering()).toBe('0.3.0');
      expect(await cluster.fingerprint()).toBe(now);
    });

    test('history knows all of it', async () => {
      const { json } = await cluster.airdock('history');
      const rowsOfIt = (json['history'] as { kind: string; version: string; outcome: string }[]).filter(
        ({ kind }) => kind !== null,
      );
      expect(rowsOfIt.map(({ kind, version, outcome }) => `${kind} ${version} ${outcome}`)).toEqual(
        expect.arrayContaining([
          'install 0.2.4 done',
          'upgrade 0.3.0 done',
          'upgrade 0.3.1 undone',
          'upgrade 0.4.0 done',
          'rollback 0.3.0 done',
        ]),
      );
    });
  });
}
