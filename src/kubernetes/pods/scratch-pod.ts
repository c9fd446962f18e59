import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { scratchArguments, scratchUser as user } from '../../data/postgres/migration/scratch-settings.ts';
import type { DatabaseTarget, Tools } from '../../data/postgres/server/server.ts';
import { AirdockError } from '../../errors.ts';
import type { KubeObject, Pod } from '../../io/kubectl.ts';
import { waitPod } from './pods.ts';
import type { KubernetesRelease } from '../record/site.ts';
import type { PodSpec } from './workloads.ts';

/** A throwaway database server in a pod, on which backups are proven and migrations rehearsed (ADR 7, ADR 13). */
export type ScratchPod = { server: DatabaseTarget; address: string };

const readyTimeout = 180_000;

/**
 * The name of a scratch object. It is never cut, because two names could then be equal, and need not be: a helm release has at most 53
 * characters, this name at most 77, and a pod's name may have 253.
 */
export function scratchName({ release }: Pick<KubernetesRelease, 'release'>, role: string): string {
  return `airdock-scratch-${release}-${role}`;
}

/** Labels of every scratch object of a release. A NetworkPolicy lets these pods reach each other and nothing else. */
export function scratchLabels({ release }: Pick<KubernetesRelease, 'release'>): Record<string, string> {
  return { 'airdock.dev/scratch': release };
}

/**
 * Runs `work` with a fresh, empty server of that image, and removes the server in any case.
 * @param spec the live server's pod spec, which says how the pod is scheduled and how its image is pulled
 * @throws SCRATCH_FAILED when the server does not start
 */
export async function withScratchPod<T>(
  site: KubernetesRelease,
  { service, image, spec, container }: { service: string; image: string; spec: PodSpec; container: string },
  work: (scratch: ScratchPod) => Promise<T>,
): Promise<T> {
  const { kubectl } = site;
  await removeScratch(site);
  try {
    await kubectl.create(policy(site));
    await kubectl.create(serverPod(site, { image, spec, container }));
    const name = scratchName(site, 'db');
    const pod = await waitPod(kubectl, name, { until: 'ready', timeoutMs: readyTimeout, signal: site.host.signal });
    const tools: Tools = { exec: (_service, command, options) => kubectl.exec(name, 'server', command, options) };
    const server = { tools, service, user, database: user };
    await waitAnswers(server);
    return await work({ server, address: addressOf(pod) });
  } finally {
    await removeScratch(site);
  }
}

/** Removes all scratch objects of this release. */
export async function removeScratch(site: KubernetesRelease): Promise<void> {
  const { kubectl } = site;
  const labels = scratchLabels(site);
  for (const { metadata } of await kubectl.list<KubeObject>('pods', labels)) await kubectl.remove('pod', metadata.name);
  for (const { metadata } of await kubectl.list<KubeObject>('networkpolicies', labels))
    await kubectl.remove('networkpolicy', metadata.name);
}

function policy(site: KubernetesRelease): KubeObject {
  const peers = [{ podSelector: { matchLabels: scratchLabels(site) } }];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: scratchName(site, 'alone'), labels: scratchLabels(site) },
    spec: {
      podSelector: { matchLabels: scratchLabels(site) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: peers }],
      egress: [{ to: peers }],
    },
  };
}

function serverPod(
  site: KubernetesRelease,
  { image, spec, container }: { image: string; spec: PodSpec; container: string },
): KubeObject {
  const live = spec.containers.find(({ name }) => name === container);
  const password = randomBytes(24).toString('hex');
  const env = [
    ['POSTGRES_USER', user],
    ['POSTGRES_DB', user],
    ['POSTGRES_PASSWORD', password],
    ['PGDATA', '/airdock/data'],
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: scratchName(site, 'db'), labels: scratchLabels(site) },
    spec: {
      ...placement(spec),
      // `spec` is the application's then, whose user is not the server's
      ...(live ? {} : { securityContext: {} }),
      ...withoutDns,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'server',
          image,
          imagePullPolicy: live?.['imagePullPolicy'] ?? 'IfNotPresent',
          args: ['postgres', ...scratchArguments()],
          env: env.map(([name, value]) => ({ name, value })),
          securityContext: live?.['securityContext'],
          volumeMounts: [{ name: 'data', mountPath: '/airdock' }],
          readinessProbe: {
            exec: { command: ['pg_isready', '-q', '-h', '127.0.0.1', '-U', user, '-d', user] },
            periodSeconds: 1,
          },
        },
      ],
      volumes: [{ name: 'data', emptyDir: {} }],
    },
  };
}

/** Turns DNS off: a query to the cluster's resolver would leave the pod. */
export const withoutDns = {
  dnsPolicy: 'None',
  dnsConfig: {
    nameservers: ['127.0.0.1'],
    options: [
      { name: 'timeout', value: '1' },
      { name: 'attempts', value: '1' },
    ],
  },
};

/** The members of a pod spec that say where the pod may run and how its images are pulled. */
export function placement(spec: PodSpec): Record<string, unknown> {
  const kept = [
    'imagePullSecrets',
    'nodeSelector',
    'tolerations',
    'affinity',
    'securityContext',
    'runtimeClassName',
    'priorityClassName',
  ];
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...Object.fromEntries(kept.flatMap((key) => (spec[key] === undefined ? [] : [[key, spec[key]]]))),
  };
}

function addressOf({ status }: Pod & { status?: { podIP?: string } }): string {
  if (status?.podIP) return status.podIP;
  throw new AirdockError('SCRATCH_FAILED', 'the throwaway server has no address');
}

async function waitAnswers({ tools, service }: DatabaseTarget): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const probe = ['psql', '-XAtqw', '-U', user, '-d', user, '-c', 'SELECT 1'];
    if ((await tools.exec(service, probe, { timeoutMs: 10_000 })).exitCode === 0) return;
    await sleep(500);
  }
  throw new AirdockError('SCRATCH_FAILED', 'the throwaway server does not answer');
}
