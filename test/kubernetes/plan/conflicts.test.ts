import { expect, test } from 'vitest';
import { fieldConflicts } from '../../../src/kubernetes/plan/conflicts.ts';
import { openHelmReleases } from '../../../src/io/helm-releases.ts';
import { openKubectl } from '../../../src/io/kubectl.ts';
import type { Run } from '../../../src/io/process.ts';

// Words of kubectl 1.35, taken from a cluster (1.36) of helm 4.
const advice =
  'Please review the fields above--they currently have other managers. Here\nare the ways you can resolve this warning:\n';
const one = `error: Apply failed with 1 conflict: conflict with "kubectl-set" using apps/v1: .spec.template.spec.containers[name="web"].image\n${advice}`;
const two = `Apply failed with 2 conflicts: conflicts with "kubectl" with subresource "scale" using apps/v1:\n- .spec.replicas\nconflicts with "kubectl-set" using apps/v1:\n- .spec.paused\n${advice}`;

const manifests = `
kind: Deployment
metadata: { name: shop-api }
---
# nothing
---
kind: Deployment
metadata: { name: shop-web }
---
kind: Job
metadata: { name: shop-migrate, annotations: { helm.sh/hook: pre-upgrade } }
`;

/** What kubectl says of each, by the names in its input; `method`: helm's, of the release. */
function cluster(method: string | undefined, refused: Record<string, string>) {
  const asked: string[][] = [];
  const run: Run = async (program, args, options) => {
    const { input } = options ?? {};
    const text = Buffer.isBuffer(input) ? input.toString() : '';
    asked.push([...args, text]);
    if (program === 'helm') return { exitCode: 0, stdout: JSON.stringify({ name: 'shop', applyMethod: method }), stderr: '' };
    const stderr = Object.entries(refused).map(([name, words]) => (text.includes(`"${name}"`) ? words : ''));
    return { exitCode: stderr.join('') === '' ? 0 : 1, stdout: '', stderr: stderr.join('') };
  };
  const site = {
    kubectl: openKubectl({ run, namespace: 'prod', env: {} }),
    helm: openHelmReleases({ run, namespace: 'prod', env: {} }),
  };
  return { asked, conflicts: () => fieldConflicts({ ...site, release: 'shop' }, manifests) };
}

test('each object with its conflicts, hooks left out, and nothing is changed', async () => {
  const { asked, conflicts } = cluster('ssa', { 'shop-api': two, 'shop-web': one });
  expect(await conflicts()).toEqual([
    'Deployment shop-api: conflicts with "kubectl" with subresource "scale" using apps/v1: .spec.replicas conflicts with "kubectl-set" using apps/v1: .spec.paused',
    'Deployment shop-web: conflict with "kubectl-set" using apps/v1: .spec.template.spec.containers[name="web"].image',
  ]);
  const applied = asked.filter((args) => args.includes('apply'));
  expect(applied).toHaveLength(3);
  for (const args of applied) expect(args).toContain('--dry-run=server');
  expect(JSON.stringify(applied)).not.toContain('shop-migrate');
});

test('no conflict: asked once, for all of them', async () => {
  const { asked, conflicts } = cluster('ssa', {});
  expect(await conflicts()).toEqual([]);
  expect(asked.filter((args) => args.includes('apply'))).toHaveLength(1);
});

test.each([undefined, 'csa'])(
  'what helm does not apply server-side (%s) has none, and the cluster is not asked',
  async (method) => {
    const { asked, conflicts } = cluster(method, { 'shop-web': one });
    expect(await conflicts()).toEqual([]);
    expect(asked).toHaveLength(1);
  },
);

test('an API server that answers otherwise than by a conflict is no finding: helm will tell', async () => {
  const webhook = 'Error from server (BadRequest): admission webhook "x" does not support dry run';
  expect(await cluster('ssa', { 'shop-web': webhook }).conflicts()).toEqual([]);
});
