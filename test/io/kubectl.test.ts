import { describe, expect, test } from 'vitest';
import { helmError, openHelmReleases } from '../../src/io/helm-releases.ts';
import { clusterError, openKubectl } from '../../src/io/kubectl.ts';
import type { Run, RunResult } from '../../src/io/process.ts';

// Words of kubectl 1.35 and helm 4.1, taken from a cluster (1.36).
const said = (stderr: string): RunResult => ({ exitCode: 1, stdout: '', stderr });

test.each([
  [
    'Error from server (Forbidden): pods is forbidden: User "dev" cannot list resource "pods" in API group "" in the namespace "x"',
    'CLUSTER_FORBIDDEN',
    5,
  ],
  [
    'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on secrets "a": the object has been modified; please apply your changes to the latest version and try again',
    'LOCKED',
    8,
  ],
  ['Error from server (AlreadyExists): error when creating "STDIN": secrets "a" already exists', 'LOCKED', 8],
  [
    'The connection to the server 10.123.0.1:6443 was refused - did you specify the right host or port?',
    'CLUSTER_UNREACHABLE',
    5,
  ],
  ['error: current-context must exist in order to minify', 'CLUSTER_UNREACHABLE', 5],
  ['Error from server (BadRequest): something else', 'STEP_FAILED', 6],
])('kubectl: %s', (stderr, code, exitCode) => {
  expect(clusterError('list pods', said(stderr))).toMatchObject({ code, exitCode });
});

test.each([
  ['Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress', 'LOCKED', 8],
  [
    'Error: UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred:\n\t* job nodepad-migrate failed: BackoffLimitExceeded',
    'MIGRATION_FAILED',
    6,
  ],
  ['Error: UPGRADE FAILED: context deadline exceeded', 'UP_FAILED', 6],
  ['Error: release: not found', 'NOT_A_DEPLOYMENT', 5],
  [
    'Error: UPGRADE FAILED: conflict occurred while applying object x/nodepad-api apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
    'FIELD_CONFLICT',
    6,
  ],
  [
    'Error: Kubernetes cluster unreachable: Get "https://10.123.0.1:6443/version": dial tcp: connection refused',
    'CLUSTER_UNREACHABLE',
    5,
  ],
])('helm: %s', (stderr, code, exitCode) => {
  expect(helmError('upgrade shop', said(stderr))).toMatchObject({ code, exitCode });
});

test.each([
  ['UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred', false],
  ['INSTALLATION FAILED: failed pre-install: 1 error occurred', false],
  ['UPGRADE FAILED: post-upgrade hooks failed: 1 error occurred', true],
  ['INSTALLATION FAILED: failed post-install: timed out waiting for the condition', true],
])('helm: %s: the new pods are there: %s', (stderr, rolled) => {
  expect(helmError('upgrade shop', said(`Error: ${stderr}`))).toMatchObject({ code: 'MIGRATION_FAILED', details: { rolled } });
});

describe('calls', () => {
  const recorded = (answer: Partial<RunResult> = {}): { run: Run; calls: string[] } => {
    const calls: string[] = [];
    const run: Run = async (command, args) => {
      calls.push([command, ...args].join(' '));
      return { exitCode: 0, stdout: '', stderr: '', ...answer };
    };
    return { run, calls };
  };

  test('namespace and context are in every call', async () => {
    const { run, calls } = recorded();
    await openKubectl({ run, namespace: 'prod', context: 'site', env: {} }).scale('deployment', 'api', 0);
    await openHelmReleases({ run, namespace: 'prod', context: 'site', env: {} }).rollback('shop', 3, { timeoutSeconds: 9 });
    expect(calls).toEqual([
      'kubectl --namespace prod --context site scale deployment/api --replicas=0',
      'helm rollback shop 3 --wait --timeout 9s --namespace prod --kube-context site',
    ]);
  });

  test('what is not there is undefined, and no release has no history', async () => {
    const absent = recorded();
    expect(await openKubectl({ run: absent.run, namespace: 'prod', env: {} }).get('secret', 'a')).toBeUndefined();
    expect(absent.calls).toEqual(['kubectl --namespace prod get secret a --ignore-not-found -o json']);
    const plugin = recorded({ exitCode: 1, stderr: 'error: getting credentials: exec: executable aws-iam not found' });
    await expect(openKubectl({ run: plugin.run, namespace: 'prod', env: {} }).get('secret', 'a')).rejects.toThrow(/aws-iam/);
    const none = recorded({ exitCode: 1, stderr: 'Error: release: not found' });
    expect(await openHelmReleases({ run: none.run, namespace: 'prod', env: {} }).history('shop')).toEqual([]);
  });

  test('a program that gets input is seen to read all of it', async () => {
    const { run, calls } = recorded();
    const kubectl = openKubectl({ run, namespace: 'prod', env: {} });
    await kubectl.exec('db-0', 'db', ['psql'], { env: { PGAPPNAME: 'airdock' } });
    await kubectl.exec('db-0', 'db', ['pg_restore', '--list'], { input: Buffer.from('x') });
    expect(calls[0]).toBe('kubectl --namespace prod exec db-0 -c db -- env PGAPPNAME=airdock psql');
    expect(calls[1]).toMatch(/exec db-0 -c db -i -- sh -c .*cat >\/dev\/null.* sh pg_restore --list$/);
  });
});
