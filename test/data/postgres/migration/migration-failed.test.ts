// One table for both sides: the sentence of a migration that failed, on the copy that was to be put in place and on the live database.
import { describe, expect, test } from 'vitest';
import { migrateCopy } from '../../../../src/data/postgres/migration/rehearsal.ts';
import { AirdockError } from '../../../../src/errors.ts';
import { changeDatabase, upgradeByHelm } from '../../../../src/kubernetes/steps/upgrade.ts';
import { migrate } from '../../../../src/vm/transaction/steps/migrate.ts';
import { kubernetesSide, release, vmSide } from '../../../helpers/database-sides.ts';
import { FakePostgres } from '../../../helpers/fake-postgres.ts';

const duplicate = 'could not create unique index "notes_slug_key" — DETAIL:  Key (slug)=(meeting) is duplicated.';
const outputs: [string, string, { failed: string; reason: string; name: string | null; applied: string[] }][] = [
  [
    'Django, the second of two',
    `Applying notes.0002_pinned... OK
Applying notes.0003_slug...Traceback (most recent call last):
django.db.utils.IntegrityError: could not create unique index "notes_slug_key"
DETAIL:  Key (slug)=(meeting) is duplicated.`,
    { failed: 'notes.0003_slug of 0.4.0', reason: duplicate, name: 'notes.0003_slug', applied: ['notes.0002_pinned'] },
  ],
  [
    'Alembic',
    'INFO  [alembic] Running upgrade 1a2b -> 3c4d, slug\nERROR:  no',
    {
      failed: '3c4d of 0.4.0',
      reason: 'INFO  [alembic] Running upgrade 1a2b -> 3c4d, slug — ERROR:  no',
      name: '3c4d',
      applied: [],
    },
  ],
  [
    'one that does not say its name',
    'syntax error',
    { failed: 'the migration of 0.4.0', reason: 'syntax error', name: null, applied: [] },
  ],
];
const databases = { shop: { oid: 1, open: true } };
const thrown = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
const migrationJob = {
  metadata: { name: 'shop-migrate' },
  spec: { template: { spec: { containers: [{ name: 'm', image: 'i' }] } } },
};

async function onVm(output: string, steps: string[]): Promise<unknown> {
  await using side = await vmSide(new FakePostgres(databases), { exitCode: 1, stdout: output });
  const plan = { steps: steps.map((id) => ({ id })) };
  return await thrown(migrate.run({ site: side.site, record: side.record, plan, target: release } as never));
}

async function onKubernetes(output: string, on: 'copy' | 'live'): Promise<unknown> {
  const { site, running, database } = kubernetesSide(new FakePostgres(structuredClone(databases)), null, {
    exitCode: 1,
    stdout: output,
  });
  const objects = { workloads: [], migration: migrationJob };
  const facts = { from: '0.3.0', target: objects, running: objects, record: undefined };
  const options = { bundle: { manifest: release.manifest }, timeoutSeconds: 60 };
  if (on === 'copy') return thrown(changeDatabase(site, options as never, facts as never, database, running));
  const upgrade = () => Promise.reject(new AirdockError('MIGRATION_FAILED', 'hook failed', { details: { rolled: false } }));
  return thrown(upgradeByHelm({ ...site, helm: { upgrade } } as never, options as never, facts as never));
}

describe.each(outputs)('%s', (_what, output, { failed, reason, name, applied }) => {
  test('on a copy: the live database was not changed', async () => {
    for (const error of [await onVm(output, ['copy', 'migrate']), await onKubernetes(output, 'copy')])
      expect(error).toMatchObject({
        code: 'MIGRATION_FAILED',
        message: `${failed} failed (exit 1): ${reason}`,
        hint: expect.stringMatching(/^It ran on a copy; the live database was not changed\./) as string,
        details: { migration: name, applied: [] },
      });
  });

  test('on the live database: the error lists what was applied', async () => {
    const before = applied.length === 0 ? '' : `\nApplied before it, and not undone: ${applied.join(', ')}.`;
    // helm does not say how its hook ended
    const sides = [
      [await onVm(output, ['migrate']), ' (exit 1)'],
      [await onKubernetes(output, 'live'), ''],
    ] as const;
    for (const [error, exit] of sides)
      expect(error).toMatchObject({
        code: 'MIGRATION_FAILED',
        message: `${failed} failed${exit}: ${reason}${before}`,
        hint: expect.stringMatching(
          /^Its class is expand: the old version runs with the part that was applied, and the next try continues\. \S/,
        ) as string,
        details: { migration: name, applied },
      });
  });

  test('in a rehearsal, which VM and Kubernetes run by one function', async () => {
    const server = new FakePostgres(databases);
    const copy = { tools: server, service: 'db', user: 'app', database: 'airdock_scratch' };
    const error = await thrown(migrateCopy(copy, '0.4.0', async () => ({ exitCode: 1, output }), '/x/rehearse.log'));
    expect(error).toMatchObject({
      code: 'MIGRATION_FAILED',
      message: `${name === null ? '' : 'migration '}${failed} failed on a copy of your data (exit 1): ${reason}`,
      hint: expect.stringMatching(/^Nothing was changed\. .* Its output is in \/x\/rehearse\.log\.$/) as string,
      details: { rehearsal: true, migration: name, applied: [] },
    });
  });
});
