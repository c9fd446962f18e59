import { describe, expect, test } from 'vitest';
import type { Facts } from '../../../src/vm/plan/facts.ts';
import { classOfPath, runsOn } from '../../../src/policy/migrations.ts';
import { planText } from '../../../src/cli/render/plan.ts';
import { planDocument } from '../../../src/vm/plan/document.ts';
import { stepsOf } from '../../../src/vm/plan/order.ts';
import { codes, facts, known, planOf, running } from '../../helpers/plan-facts.ts';

describe('the class of a path', () => {
  test.each([
    ['0.2.4', '0.3.0', 'expand'],
    ['0.3.0', '0.4.2', 'irreversible'], // a release that nobody lists changes no schema
    ['0.4.0', '0.4.2', 'none'],
    ['0.2.4', '0.2.9', 'none'],
    ['0.2.4', '0.4.0', 'irreversible'],
    ['0.4.0', '0.4.0', 'none'],
  ])('from %s to %s is %s: the worst in (from, to]', (from, to, expected) => {
    expect(classOfPath(known, from, to)).toBe(expected);
  });
});

describe('code on a schema', () => {
  test.each([
    ['0.2.4', '0.3.0', true], // newer, but expand
    ['0.3.0', '0.4.0', false],
    ['0.4.0', '0.3.0', false], // older: its own migrations are missing
    ['0.3.0', '0.2.4', false],
    ['0.4.1', '0.4.0', true], // 0.4.1 changes nothing
    ['0.4.0', '0.4.0', true],
  ])('%s on %s: %s', (version, schema, expected) => {
    expect(runsOn(known, version, schema)).toBe(expected);
  });
});

describe('steps', () => {
  const plain = { database: true, recreatesDatabase: false, hasData: false, rehearse: true };
  test('an expand upgrade rehearses on the backup, migrates, and then switches', () => {
    expect(stepsOf('upgrade', 'expand', plain)).toEqual([
      'import',
      'load',
      'backup',
      'rehearse',
      'migrate',
      'switch',
      'up',
      'health',
      'good',
    ]);
  });
  test('an irreversible upgrade stops the writers, works on a copy, and opens traffic last', () => {
    const steps = stepsOf('upgrade', 'irreversible', plain);
    expect(steps.slice(steps.indexOf('backup'))).toEqual([
      'backup',
      'rehearse',
      'quiesce',
      'copy',
      'migrate',
      'swap',
      'switch',
      'up',
      'health',
      'good',
      'traffic',
      'external',
    ]);
  });
  test('before a release that does not change the schema, a backup is made and proven, and nothing is migrated', () => {
    expect(stepsOf('upgrade', 'none', plain)).toEqual(['import', 'load', 'backup', 'rehearse', 'switch', 'up', 'health', 'good']);
  });
  test('there is no rehearsal without a database, on a first install, on a rollback, or with --no-rehearsal', () => {
    expect(stepsOf('upgrade', 'expand', { ...plain, database: false })).not.toContain('rehearse');
    expect(stepsOf('upgrade', 'expand', { ...plain, rehearse: false })).not.toContain('rehearse');
    expect(stepsOf('install', 'none', { ...plain, hasData: true })).not.toContain('rehearse');
    expect(stepsOf('rollback', 'expand', plain)).not.toContain('rehearse');
  });
  test('the plan says whether the backup will be proven, and what it needs', () => {
    const database = { service: 'db', name: 'notes', server: 'PostgreSQL 15.8', bytes: 600e6 };
    const plan = planOf(facts({ database }));
    expect(plan.backup).toEqual({ proven: true, with: [] });
    expect(plan.steps.find((step) => step.id === 'rehearse')).toEqual({ id: 'rehearse', stop: false, estimate: 15 });
    expect(planOf(facts({ database, rehearse: false })).backup).toEqual({ proven: false, with: [] });
    expect(planOf(facts({ kind: 'rollback' })).backup).toBeNull();
  });
  test('a database service is recreated by a step of its own, and only when it changes', () => {
    expect(stepsOf('upgrade', 'none', { ...plain, recreatesDatabase: true })).toContain('database-service');
    expect(stepsOf('rollback', 'none', { ...plain, recreatesDatabase: true })).toEqual([
      'load',
      'switch',
      'database-service',
      'up',
      'health',
      'good',
    ]);
  });
  test('only the replacement of containers is downtime, unless the writers have to stop first', () => {
    const stops = (target: string) =>
      planOf(facts({}, { version: target, migrations: [...known] }))
        .steps.filter(({ stop }) => stop)
        .map(({ id }) => id);
    expect(stops('0.3.0')).toEqual(['up']);
    expect(stops('0.4.0')).toEqual(['quiesce', 'copy', 'migrate', 'swap', 'switch', 'up']);
  });
  test('a first install that was tried before gets a backup: its volumes may hold rows', () => {
    expect(stepsOf('install', 'none', plain)).not.toContain('backup');
    expect(stepsOf('install', 'none', { ...plain, hasData: true })).toContain('backup');
  });
});

describe('findings about a path', () => {
  test('none, on a plain upgrade', () => {
    expect(codes(facts())).toEqual([]);
  });
  test('a jump that the upgrade rules forbid, and a required stop', () => {
    expect(codes(facts({}, { upgrade: { from: '>=0.3.0', stops: [] } }))).toEqual(['UPGRADE_PATH_REFUSED']);
    expect(codes(facts({}, { upgrade: { from: '>=0.2.0', stops: ['0.2.9'] } }))).toEqual(['UPGRADE_PATH_REFUSED']);
    expect(
      codes(facts({ deployment: running({ current: '0.2.9' }) }, { upgrade: { from: '>=0.2.0', stops: ['0.2.9'] } })),
    ).toEqual([]);
  });
  test('an irreversible migration without traffic services: there would be no moment to go back', () => {
    const target = { version: '0.4.2', migrations: [...known], traffic: [] };
    expect(codes(facts({}, target))).toEqual(['UPGRADE_PATH_REFUSED']);
    expect(codes(facts({}, { ...target, traffic: ['frontend'] }))).toEqual([]);
    expect(codes(facts({ deployment: running({ current: '0.4.1', highestGood: '0.4.1' }) }, target))).toEqual([]);
  });
  test('too little disk space, with the needs and how much to free', () => {
    const disk = [
      {
        path: '/var/lib/docker',
        free: 100e6,
        needs: [
          { what: 'images', bytes: 150e6 },
          { what: 'reserve', bytes: 50e6 },
        ],
      },
    ];
    const [finding] = planOf(facts({ disk })).findings;
    expect(finding).toMatchObject({ code: 'DISK_FULL' });
    expect(finding?.text).toContain('/var/lib/docker needs 200.0 MB, 100.0 MB are free (images 150.0 MB, reserve 50.0 MB)');
    expect(finding?.fix).toContain('100.0 MB');
  });
});

describe('a way back', () => {
  const back = (target: string, deployment: Facts['deployment']): string[] =>
    codes(facts({ kind: 'rollback', deployment }, { version: target }));
  test('over expand: its code runs on the newer schema', () => {
    expect(back('0.2.4', running({ current: '0.3.0', schemaRelease: '0.3.0', highestGood: '0.3.0' }))).toEqual([]);
  });
  test('not over irreversible, judged by the schema and not by the running release: the migration may have begun', () => {
    expect(back('0.2.4', running({ current: '0.3.0', schemaRelease: '0.4.0' }))).toEqual(['ROLLBACK_REFUSED']);
  });
  test('over irreversible with a kept database: only with the flag, and the plan has the command', () => {
    const deployment = running({ current: '0.4.0', schemaRelease: '0.4.0', highestGood: '0.4.0' });
    const restore = {
      kept: 'notes_0_3_0_t2',
      backup: null,
      release: '0.3.0',
      schemaRelease: '0.3.0',
      at: '2026-11-22T02:14:00.000Z',
      proven: true,
      encrypted: false,
    };
    const asked = facts({ kind: 'rollback', deployment, restore, migrations: [...known] }, { version: '0.3.0' });
    expect(codes(asked)).toEqual(['RESTORE_DATABASE_NEEDED']);
    expect(planOf(asked).findings[0]?.fix).toContain('airdock rollback 0.3.0 --restore-database');
    const plan = planOf({ ...asked, restoreDatabase: true });
    expect(plan.findings).toEqual([]);
    expect(plan.steps.map((step) => step.id)).toEqual([
      'load',
      'quiesce',
      'swap',
      'switch',
      'up',
      'health',
      'good',
      'traffic',
      'external',
    ]);
  });
  test('the refusal says what comes back and which rows are left aside, as the plan does', () => {
    const deployment = running({ current: '0.4.0', schemaRelease: '0.4.0', highestGood: '0.4.0' });
    const restore = {
      kept: 'notes_0_3_0_t2',
      backup: null,
      release: '0.3.0',
      schemaRelease: '0.3.0',
      at: '2026-11-22T02:14:59.000Z',
      proven: true,
      encrypted: false,
    };
    const since = [
      { table: 'audit."Große Liste"', gained: 0, changed: 1, lost: 0 },
      { table: 'public.jobs', gained: 9310, changed: 0, lost: 0 },
      { table: 'public.members', gained: 2, changed: 0, lost: 0 },
      { table: 'public.notes', gained: 1204, changed: 88, lost: 3 },
    ];
    const aside = { name: 'notes_0_4_0_t15', seconds: 21_720 };
    const asked = facts({ kind: 'rollback', deployment, restore, aside, since }, { version: '0.3.0' });
    const said = [
      '  comes back  the database of 0.3.0, kept since 2026-11-22 02:14 UTC, by a rename',
      '  kept aside  the current database, as notes_0_4_0_t15: it holds what was written in the 6 h 2 min since',
      '                audit."Große Liste" ~1    jobs +9,310    members +2',
      '                notes +1,204 ~88 -3',
    ];
    const [finding] = planOf(asked).findings;
    expect(finding?.text.split('\n').slice(1)).toEqual([...said, '  stop        about 8 s']);
    const plan = planOf({ ...asked, restoreDatabase: true });
    expect(plan).toMatchObject({ aside, since });
    expect(planText(plan)).toContain(said.join('\n'));
    expect(planText({ ...plan, since: [] })).toContain('no table differs');
    expect(planText({ ...plan, since: null })).toContain('these rows could not be counted');
    const { aside: _aside, since: _since, ...older } = plan;
    expect(planDocument.parse(older)).toMatchObject({ aside: null, since: null });
  });
  test('the estimate of a restore follows the size of the backup, not of the live database', () => {
    const deployment = running({ current: '0.4.0', schemaRelease: '0.4.0', highestGood: '0.4.0' });
    const database = { service: 'db', name: 'notes', server: 'PostgreSQL 15.8', bytes: 8e6 };
    const restore = {
      kept: null,
      backup: '20261130-1',
      release: '0.3.0',
      schemaRelease: '0.3.0',
      at: '2026-11-30T02:14:00.000Z',
      proven: true,
      encrypted: false,
      bytes: 6e9,
    };
    const plan = planOf(facts({ kind: 'rollback', deployment, database, restore, restoreDatabase: true }, { version: '0.3.0' }));
    expect(plan.steps.find((step) => step.id === 'restore')).toEqual({ id: 'restore', stop: false, estimate: 105 });
  });
  test('--restore-database is refused when the database can stay', () => {
    const deployment = running({ current: '0.3.0', schemaRelease: '0.3.0', highestGood: '0.3.0' });
    expect(codes(facts({ kind: 'rollback', deployment, restoreDatabase: true }, { version: '0.2.4' }))).toEqual(['USAGE']);
  });
  test('to an older version is no downgrade', () => {
    expect(back('0.2.4', running({ current: '0.3.0', schemaRelease: '0.3.0', highestGood: '0.3.0' }))).not.toContain(
      'DOWNGRADE_REFUSED',
    );
  });
});
