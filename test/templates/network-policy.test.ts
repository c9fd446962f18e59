import type { INetworkPolicySpec } from 'kubernetes-models/networking.k8s.io/v1';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/io/kubectl.ts';
import { madeByAirdock } from '../helpers/airdock-pods.ts';
import { chartValues, helmTemplate, objectsIn, schemaOf } from '../helpers/chart.ts';
import { allows, matches, type End, type Labels, type Policy, type Port } from '../helpers/network-policy.ts';

/**
 * Who may reach whom, by the policies of NodePad's chart and airdock's own, where the cluster's network keeps them. Two releases are
 * in one namespace, `prod`, airdock is at work on both, and a third has the labels of the first in a namespace of its own.
 *
 * Probes of the kubelet come from the pod's own node, which no policy shuts out. The API server's proxy, by which airdock asks for
 * health, comes from another node: an address like any other, which is let in where `networkPolicy.from` names it. What `kubectl
 * exec` does goes by the kubelet, and not through the pod's network at all.
 */

type PodTemplate = { metadata?: { labels?: Labels }; spec: { containers: { ports?: NonNullable<End['pod']>['ports'] }[] } };
type Cluster = { ends: Record<string, End>; made: KubeObject[]; byAirdock: KubeObject[]; policies: readonly Policy[] };

const apiServer = '192.0.2.1';
const outside: Record<string, End> = {
  'the API server': { ip: apiServer },
  'somebody outside': { ip: '203.0.113.7' },
  S3: { ip: '198.51.100.3' },
  'a database outside': { ip: '198.51.100.5' },
  'an ingress controller': { ip: '10.2.0.1', pod: { namespace: 'ingress', labels: { 'app.kubernetes.io/name': 'ingress' } } },
  DNS: { ip: '10.2.0.2', pod: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } } },
  'a stranger': { ip: '10.2.0.3', pod: { namespace: 'prod', labels: { app: 'stranger' } } },
};

async function clusterWith(flags: readonly string[], url?: string): Promise<Cluster> {
  const manifests = { nodepad: await helmTemplate('4', flags), other: await helmTemplate('4', flags, 'other') };
  const byAirdock = await madeByAirdock('nodepad', manifests.nodepad, url);
  const made = [...objectsIn(manifests.nodepad), ...byAirdock] as KubeObject[];
  const others = [...objectsIn(manifests.other), ...(await madeByAirdock('other', manifests.other, url))] as KubeObject[];
  const elsewhere = Object.entries(podsIn(made, 'staging')).map(([name, end]) => [`${name} of staging`, end] as const);
  const policies = [...made, ...others].filter(({ kind }) => kind === 'NetworkPolicy') as Policy[];
  return {
    ends: { ...podsIn(made, 'prod'), ...podsIn(others, 'prod'), ...Object.fromEntries(elsewhere), ...outside },
    made,
    byAirdock,
    policies: policies.map((one) => ({ ...one, metadata: { ...one.metadata, namespace: 'prod' } })),
  };
}

function podsIn(objects: readonly KubeObject[], namespace: string): Record<string, End> {
  const pods = objects.flatMap((object): [string, End][] => {
    const { template } = (object['spec'] ?? {}) as { template?: PodTemplate };
    const pod = object.kind === 'Pod' ? (object as unknown as PodTemplate) : template;
    if (!pod) return [];
    const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
    return [[object.metadata.name, { ip: '10.1.0.1', pod: { namespace, labels: pod.metadata?.labels ?? {}, ports } }]];
  });
  return Object.fromEntries(pods);
}

/** Names of those who may reach that end, itself left out. */
function reaching({ ends, policies }: Cluster, to: string, port: Port): string[] {
  return namesIn(ends).filter((name) => name !== to && allows({ policies }, endOf(ends, name), endOf(ends, to), port));
}

function endOf(ends: Cluster['ends'], name: string): End {
  const end = ends[name];
  if (!end) throw new Error(`nobody is ${name}: ${namesIn(ends).join(', ')}`);
  return end;
}

const namesIn = (of: object): string[] => Object.keys(of).toSorted();
const server = 'airdock-scratch-nodepad-db';
const rehearsal = 'airdock-scratch-nodepad-migrate';
const migration = 'airdock-nodepad-1-migrate';
const trial = 'airdock-trial-nodepad-api';
const tools = 'airdock-tools-nodepad';
const works = ['nodepad-api', 'nodepad-beat', 'nodepad-migrate', 'nodepad-worker'];
/** Who may not leave. In `staging` nobody made policies. */
const shut = [server, rehearsal, 'airdock-scratch-other-db', 'airdock-scratch-other-migrate'];
const all = Symbol('all but those who may not leave');
type Rows = [to: string, port: Port, from: readonly string[] | typeof all][];
const tcp = (port: number): Port => ({ port });
const udp = (port: number): Port => ({ port, protocol: 'UDP' });

function expectReaching(cluster: Cluster, ...[to, port, from]: Rows[number]): void {
  const expected = from === all ? namesIn(cluster.ends).filter((name) => name !== to && !shut.includes(name)) : from;
  expect(reaching(cluster, to, port)).toEqual([...expected].toSorted());
}

const kept = ['--set', 'networkPolicy.enabled=true', '--set', `networkPolicy.from[0].ipBlock.cidr=${apiServer}/32`];
const url = 'postgresql://nodepad:secret@database.example:5432/nodepad';
const [bundled, unnamed, external, mixed, open] = await Promise.all([
  clusterWith([...chartValues.bundled, ...kept]),
  clusterWith(chartValues.bundled),
  clusterWith([...chartValues.external, ...kept], url),
  clusterWith([...chartValues.external, ...kept, '--set', 'redis.bundled=true'], url),
  clusterWith([]),
]);

/** Nobody outside of the cluster is shut out of it by these policies, and nobody in it but the throwaway pods is shut in. */
const outOfTheCluster: Rows = [
  ['DNS', udp(53), all],
  ['DNS', tcp(53), all],
  ['a database outside', tcp(5432), all],
  ['S3', tcp(443), all],
  ['the API server', tcp(443), all],
];
const ownPods: Rows = [
  ['nodepad-frontend', tcp(8080), all],
  ['nodepad-api', tcp(8000), ['nodepad-frontend', 'the API server']],
  // which listens on nothing
  ['nodepad-worker', tcp(8000), ['nodepad-frontend', 'the API server']],
  [trial, tcp(8000), ['the API server']],
  [migration, tcp(8000), ['the API server']],
  [server, tcp(5432), [rehearsal]],
  [rehearsal, tcp(5432), [server]],
];
const data = [...works, migration, trial, 'the API server'];

describe('bundled database and Redis', () => {
  test.each<Rows[number]>([
    ...ownPods,
    ['nodepad-postgresql', tcp(5432), data],
    ['nodepad-redis', tcp(6379), data],
    ...outOfTheCluster,
  ])('%s, %j: only those may', (...row) => expectReaching(bundled, ...row));

  test.each<Rows[number]>([
    ['nodepad-api', tcp(8000), ['nodepad-frontend']],
    ['nodepad-postgresql', tcp(5432), [...works, migration, trial]],
    [trial, tcp(8000), []],
  ])('%s, %j, where the API server is not named', (...row) => expectReaching(unnamed, ...row));
});

describe('a database elsewhere', () => {
  test.each<Rows[number]>([...ownPods, [tools, tcp(5432), ['the API server']], ...outOfTheCluster])(
    '%s, %j: only those may',
    (...row) => expectReaching(external, ...row),
  );
  // the tools see the network as the application does
  test('a bundled Redis', () => expectReaching(mixed, 'nodepad-redis', tcp(6379), [...data, tools]));
});

test.each<Rows[number]>([
  ['nodepad-postgresql', tcp(5432), all],
  ['nodepad-api', tcp(8000), all],
  [trial, tcp(8000), all],
  [server, tcp(5432), [rehearsal]],
  [rehearsal, tcp(5432), [server]],
  ...outOfTheCluster,
])('%s, %j, without the chart’s policies', (...row) => expectReaching(open, ...row));

test('a pod’s own node reaches it: probes', () => {
  const { ends, policies } = bundled;
  for (const end of Object.values(ends)) expect(allows({ policies }, { ip: apiServer, node: true }, end, tcp(1))).toBe(true);
});

describe('the throwaway pods', () => {
  /** Somebody's policy for every pod of the namespace. */
  const withAnother = (cluster: Cluster, spec: INetworkPolicySpec): Cluster => ({
    ...cluster,
    policies: [...cluster.policies, { metadata: { namespace: 'prod' }, spec: { podSelector: {}, ...spec } }],
  });
  const reached = (cluster: Cluster, from: string, port: Port): string[] =>
    namesIn(cluster.ends).filter((to) => reaching(cluster, to, port).includes(from));

  test.each([bundled, external, open])('reach each other, and nothing else on any port that is used', (cluster) => {
    for (const port of [tcp(5432), tcp(6379), tcp(8000), tcp(8080), tcp(443), tcp(53), udp(53)]) {
      expect(reached(cluster, server, port)).toEqual([rehearsal]);
      expect(reached(cluster, rehearsal, port)).toEqual([server]);
    }
  });

  test('ask nobody for names, where the network keeps no policy or another policy opens it', () => {
    const pods = bundled.byAirdock.filter(({ kind, metadata }) => kind === 'Pod' && metadata.name.startsWith('airdock-scratch-'));
    expect(pods).toHaveLength(2);
    for (const { spec } of pods) expect(spec).toMatchObject({ dnsPolicy: 'None', dnsConfig: { nameservers: ['127.0.0.1'] } });
    // policies add up: this is why
    const cluster = withAnother(bundled, { policyTypes: ['Egress'], egress: [{ ports: [{ protocol: 'UDP', port: 53 }] }] });
    expect(reached(cluster, server, udp(53))).toContain('DNS');
    expect(reached(cluster, server, tcp(5432))).toEqual([rehearsal]);
  });

  test('reach each other in a namespace that is shut', () => {
    const cluster = withAnother(open, { policyTypes: ['Ingress', 'Egress'] });
    expect(reaching(cluster, server, tcp(5432))).toEqual([rehearsal]);
    expect(reaching(cluster, 'nodepad-api', tcp(8000))).toEqual([]);
  });
});

test('a Service finds its own pods, and none of airdock’s', () => {
  const { made, ends } = bundled;
  const found = made.flatMap(({ kind, metadata, spec }) => {
    if (kind !== 'Service') return [];
    const { selector } = spec as { selector: Record<string, string> };
    const inProd = namesIn(ends).filter((name) => ends[name]?.pod?.namespace === 'prod');
    return [[metadata.name, inProd.filter((name) => matches({ matchLabels: selector }, ends[name]?.pod?.labels ?? {}))]];
  });
  expect(Object.fromEntries(found)).toEqual({
    nodepad: ['nodepad-frontend'],
    'nodepad-api': ['nodepad-api'],
    'nodepad-postgresql': ['nodepad-postgresql'],
    'nodepad-redis': ['nodepad-redis'],
  });
});

test.each([bundled, external])('what airdock makes is what Kubernetes takes', async ({ byAirdock }) => {
  expect(byAirdock.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['NetworkPolicy', 'Pod']));
  for (const object of byAirdock) {
    const Schema = await schemaOf(object);
    expect(() => new Schema(object).validate(), `${object.kind} ${object.metadata.name}`).not.toThrow();
  }
});

test('pods have names of their own, however long the release’s name is', async () => {
  const release = 'n'.repeat(53);
  const pods = (await madeByAirdock(release, await helmTemplate('4', [], release))).filter(({ kind }) => kind === 'Pod');
  expect(new Set(pods.map(({ metadata }) => metadata.name)).size).toBe(pods.length);
});

test('helm 3 makes the same policies', async () => {
  const flags = [...chartValues.bundled, ...kept];
  const policies = objectsIn(await helmTemplate('3', flags)).filter(({ kind }) => kind === 'NetworkPolicy');
  expect(policies).toEqual(
    bundled.made.filter(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name.startsWith('nodepad')),
  );
});
