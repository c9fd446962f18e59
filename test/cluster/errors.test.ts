// What helm and kubectl refuse, as an operator meets it: one code for each, words that say what to do, and what serves goes on.
// `./scripts/test --cluster` has a real cluster; elsewhere what it said is played back.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { kubeconfigOf, makeUser } from '../helpers/cluster-namespace.ts';
import { Cluster, type Answer } from '../helpers/cluster.ts';

describe('errors of helm 4 and kubectl', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.fresh('nodepad-errors', { helm: '4', database: 'bundled' });
  });
  afterAll(() => cluster?.remove());
  afterEach(() => expect(cluster.problems).toEqual([]));
  const refused = ({ exitCode, json, stderr }: Answer, code: string, exit: number): string => {
    expect([json['code'], exitCode], `${String(json['message'])}\n${stderr}`).toEqual([code, exit]);
    return `${String(json['message'])}\n${String(json['hint'])}`;
  };
  const codes = ({ json }: Answer): string[] => (json['findings'] as { code: string }[]).map(({ code }) => code);

  test('nobody answers: which cluster is meant is asked', async () => {
    const nowhere = await cluster.as(
      (owner) => kubeconfigOf(owner, 'nowhere', 'none', 'https://127.0.0.1:1'),
      () => cluster.upgrade('0.2.4'),
    );
    expect(refused(nowhere, 'CLUSTER_UNREACHABLE', 5)).toMatch(/refused.*kubectl get nodes/s);
  });

  test('a login that has expired', async () => {
    const unknown = await cluster.as(
      (owner) => kubeconfigOf(owner, 'expired', 'x'),
      () => cluster.airdock('status'),
    );
    expect(refused(unknown, 'CLUSTER_UNREACHABLE', 5)).toMatch(/logged in|Unauthorized/i);
  });

  test('who may only look is told which right is missing, before anything is done', async () => {
    const answer = await cluster.as(
      (owner) => makeUser(owner, 'reader', join(import.meta.dirname, 'reader-role.yaml')),
      () => cluster.upgrade('0.2.4'),
    );
    expect(refused(answer, 'CLUSTER_FORBIDDEN', 5)).toMatch(/secrets.*section 14/s);
    expect(await cluster.kubectl('get', 'all,secrets', '-l', 'app.kubernetes.io/instance=nodepad', '-o', 'name')).toBe('');
  });

  test('no such release: history and the way back', async () => {
    expect(refused(await cluster.airdock('rollback', '--yes'), 'NOT_A_DEPLOYMENT', 5)).toContain('nodepad');
    expect(refused(await cluster.airdock('status'), 'NOT_A_DEPLOYMENT', 5)).toMatch(/helm list -A/);
    expect(refused(await cluster.airdock('history'), 'NOT_A_DEPLOYMENT', 5)).toContain('nodepad');
    expect(refused(await cluster.airdock('resume', '--yes'), 'NOT_A_DEPLOYMENT', 5)).toMatch(/helm list -A/);
  });

  test('values that the chart does not take', async () => {
    const answer = await cluster.upgradeWith('api: { replicas: many }\n', '0.2.4');
    expect(refused(answer, 'CHART_INVALID', 3)).toMatch(/replicas/);
  });

  test('a Secret that nobody made: told before anything is done', async () => {
    const answer = await cluster.upgradeWith('secret: { name: other }\n', '0.2.4');
    expect(refused(answer, 'PREFLIGHT_FAILED', 5)).toMatch(/no Secret other.*create secret generic/s);
    expect(await cluster.kubectl('get', 'secrets', '-l', 'owner=helm', '-o', 'name')).toBe('');
  });

  test('a first install whose pods find no room: told, and the next try is an install again', async () => {
    const answer = await cluster.upgradeWith(
      "frontend: { resources: { requests: { cpu: '999' } } }\n",
      '0.2.4',
      '--timeout',
      '20',
    );
    expect(refused(answer, 'UP_FAILED', 6)).toMatch(/nodepad-frontend-\S+: no node can run it: .*cpu.*describe pod/s);
    const done = await cluster.upgrade('0.2.4');
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    expect(await cluster.answering()).toBe('0.2.4');
  });

  test('a migration that does not come to its end: it is ended before anybody says that 0.2.4 is untouched', async () => {
    await cluster.sql(
      `CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); END';
       CREATE EVENT TRIGGER slow ON ddl_command_start EXECUTE FUNCTION slow()`,
    );
    const answer = await cluster.upgrade('0.3.0', '--no-rehearsal', '--timeout', '20');
    expect(refused(answer, 'MIGRATION_FAILED', 6)).toMatch(/was ended/);
    expect(await cluster.kubectl('get', 'jobs', '-o', 'name')).toBe('');
    expect(await cluster.kubectl('get', 'pods', '-l', 'job-name', '-o', 'name')).toBe('');
    expect(await cluster.answering()).toBe('0.2.4');
    await cluster.sql('DROP EVENT TRIGGER slow; DROP FUNCTION slow');
  });

  test('an upgrade whose pods find no room: rolled back, 0.2.4 serves all the time', async () => {
    const { result, wrong } = await cluster.watch(['0.2.4', '0.3.0'], () =>
      cluster.upgradeWith(
        "frontend: { resources: { requests: { cpu: '999' } } }\n",
        '0.3.0',
        '--no-rehearsal',
        '--timeout',
        '30',
      ),
    );
    expect(refused(result, 'UP_FAILED', 6)).toMatch(/describe pod/);
    expect(wrong).toEqual([]);
    expect(await cluster.answering()).toBe('0.2.4');
    expect((await cluster.airdock('status')).json).toMatchObject({ current: '0.2.4', interrupted: null, drift: [] });
  });

  test('somebody else set a field of the chart: who it is, and 0.2.4 serves', async () => {
    const image = JSON.parse(await cluster.kubectl('get', 'deployment', 'nodepad-frontend', '-o', 'json')) as {
      spec: { template: { spec: { containers: { name: string }[] } } };
    };
    const [container] = image.spec.template.spec.containers;
    const file = join(cluster.folder, 'theirs.json');
    const theirs = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'nodepad-frontend' },
      spec: { template: { spec: { containers: [{ name: container?.name, image: 'registry.elsewhere/frontend:1' }] } } },
    };
    await writeFile(file, JSON.stringify(theirs));
    await cluster.kubectl('apply', '--server-side', '--force-conflicts', '--field-manager=somebody', '-f', file);
    const revisions = await cluster.helm('history', 'nodepad', '-o', 'json');
    const { exitCode, json } = await cluster.airdock('status');
    expect([exitCode, json['drift']]).toEqual([
      5,
      expect.arrayContaining([expect.stringContaining('registry.elsewhere/frontend:1')]),
    ]);
    const answer = await cluster.upgrade('0.3.0', '--no-rehearsal');
    expect(refused(answer, 'OWNED_BY_ANOTHER', 5)).toMatch(/nodepad-frontend: .*somebody.*image.*--force-conflicts/s);
    expect(await cluster.helm('history', 'nodepad', '-o', 'json')).toBe(revisions);
    expect(await cluster.answering()).toBe('0.2.4');
    const done = await cluster.upgrade('0.3.0', '--no-rehearsal', '--force-conflicts');
    expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    expect(await cluster.answering()).toBe('0.3.0');
  });

  test('replicas by hand: the same word, before the way back, too; the same number in the values is none', async () => {
    await cluster.kubectl('scale', 'deployment', 'nodepad-worker', '--replicas=3');
    expect(refused(await cluster.airdock('rollback', '0.2.4', '--yes'), 'OWNED_BY_ANOTHER', 5)).toMatch(/worker: .*replicas/);
    expect(codes(await cluster.upgrade('0.4.0', '--plan'))).toEqual(['OWNED_BY_ANOTHER']);
    expect(codes(await cluster.upgradeWith('worker: { replicas: 3 }\n', '0.4.0', '--plan'))).toEqual([]);
    const back = await cluster.airdock('rollback', '0.2.4', '--yes', '--force-conflicts');
    expect(back.exitCode, back.stdout + back.stderr).toBe(0);
    expect(await cluster.replicas()).toContain('nodepad-worker 1');
    const again = await cluster.upgrade('0.3.0', '--no-rehearsal');
    expect(again.exitCode, again.stdout + again.stderr).toBe(0);
  });

  test('helm of somebody else was killed: its lock is told before anything is done, and the hint takes it away', async () => {
    const flags = ['--reuse-values', '--wait', '--set', 'api.replicas=3'];
    await cluster.killedHelm('upgrade', 'nodepad', await cluster.chart('0.3.0'), ...flags);
    const plan = await cluster.upgrade('0.4.0', '--plan');
    expect(codes(plan)).toEqual(['LOCKED']);
    const text = refused(await cluster.upgrade('0.4.0'), 'LOCKED', 8);
    const [, hint = ''] = /: helm (rollback .*)$/m.exec(text) ?? [];
    await cluster.helm(...hint.replace(/ -n .*/, '').split(' '), '--wait');
    expect(codes(await cluster.upgrade('0.4.0', '--plan'))).toEqual([]);
    expect(await cluster.answering()).toBe('0.3.0');
  });

  test('what a controller rendered has no release of helm’s: its version is seen all the same, and prepare backs it up', async () => {
    await cluster.kubectl('delete', 'secrets', '-l', 'owner=helm');
    expect(refused(await cluster.upgrade('0.4.0'), 'OWNED_BY_ANOTHER', 5)).toMatch(/0\.3\.0 runs in .*no release nodepad/);
    const ready = await cluster.prepare('0.4.0');
    expect(ready.json, ready.stderr).toMatchObject({ from: '0.3.0', to: '0.4.0', class: 'irreversible', rehearsed: true });
    expect(await cluster.answering()).toBe('0.3.0');
  });
});
