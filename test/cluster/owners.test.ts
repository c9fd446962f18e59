// Whoever else looks after the workloads is never fought: refused before anything is done, with what to do instead.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type Answer } from '../helpers/cluster.ts';

describe('owners', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.fresh('nodepad-owners', { helm: '4', database: 'bundled' });
    for (const version of ['0.2.4', '0.3.0']) {
      const done = await cluster.upgrade(version, '--no-rehearsal');
      expect(done.exitCode, done.stdout + done.stderr).toBe(0);
    }
  });
  afterAll(() => cluster?.remove());
  afterEach(() => expect(cluster.problems).toEqual([]));
  const codes = ({ json, stderr }: Answer): string[] => {
    expect(json, stderr).toHaveProperty('findings');
    return (json['findings'] as { code: string }[]).map(({ code }) => code);
  };

  test('a GitOps controller: refused, prepare does all but the upgrade; once it is suspended it may be said so', async () => {
    await cluster.kubectl('label', 'deployment', 'nodepad-api', 'argocd.argoproj.io/instance=nodepad');
    const refused = await cluster.upgrade('0.4.0');
    expect([refused.exitCode, refused.json['code']]).toEqual([5, 'OWNED_BY_ANOTHER']);
    const revisions = await cluster.helm('history', 'nodepad', '-o', 'json');
    const ready = await cluster.prepare('0.4.0');
    expect(ready.json, ready.stderr).toMatchObject({ from: '0.3.0', to: '0.4.0', class: 'irreversible', rehearsed: true });
    expect(ready.json['values']).toBe(`global:\n  imageRegistry: ${cluster.registry}\n`);
    expect(await cluster.helm('history', 'nodepad', '-o', 'json')).toBe(revisions);
    expect(await cluster.answering()).toBe('0.3.0');
    const back = ['rollback', '0.2.4', '--plan'];
    expect(codes(await cluster.airdock(...back))).toEqual(['OWNED_BY_ANOTHER']);
    expect(codes(await cluster.airdock(...back, '--owner-suspended'))).toEqual([]);
    expect(codes(await cluster.upgrade('0.4.0', '--plan', '--owner-suspended'))).toEqual([]);
    await cluster.kubectl('label', 'deployment', 'nodepad-api', 'argocd.argoproj.io/instance-');
  });

  test('an autoscaler keeps an irreversible upgrade away, and no other', async () => {
    const { namespace } = cluster;
    const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'nodepad-api' };
    const spec = { scaleTargetRef: target, minReplicas: 2, maxReplicas: 4 };
    await cluster.apply({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'api', namespace },
      spec,
    });
    expect(codes(await cluster.upgrade('0.4.0', '--plan'))).toEqual(['OWNED_BY_ANOTHER']);
    expect(codes(await cluster.upgrade('0.3.1', '--plan'))).toEqual([]);
    await cluster.kubectl('delete', 'hpa', 'api');
  });
});
