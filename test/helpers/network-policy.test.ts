import type { INetworkPolicySpec } from 'kubernetes-models/networking.k8s.io/v1';
import { describe, expect, test } from 'vitest';
import { allows, matches, type End, type Labels } from './network-policy.ts';

/** The evaluator against what Kubernetes' own pages say of their recipes ("Network Policies", "Declare Network Policy"). */

const pod = (namespace: string, role: string, ip: string): End => ({
  ip,
  pod: { namespace, labels: { role }, ports: [{ name: 'sql', containerPort: 6379 }] },
});
const ends = {
  db: pod('default', 'db', '10.0.0.1'),
  client: pod('default', 'client', '10.0.0.2'),
  other: pod('default', 'other', '10.0.0.3'),
  aliceClient: pod('alice', 'client', '10.0.1.2'),
  aliceOther: pod('alice', 'other', '10.0.1.3'),
  near: { ip: '172.17.9.9' },
  excepted: { ip: '172.17.1.9' },
  far: { ip: '2001:db8::1' },
  node: { ip: '172.17.1.1', node: true },
} satisfies Record<string, End>;
type Name = keyof typeof ends;
const all = Object.keys(ends) as Name[];
const namespaces: Record<string, Labels> = { alice: { user: 'alice' } };
const network = (...specs: INetworkPolicySpec[]) => ({ policies: specs.map((spec) => ({ spec })), namespaces });
const into = (specs: INetworkPolicySpec[], port = 6379) =>
  all.filter((name) => allows(network(...specs), ends[name], ends.db, { port }));
const outOf = (specs: INetworkPolicySpec[], port = 6379) =>
  all.filter((name) => allows(network(...specs), ends.db, ends[name], { port }));

const db = { podSelector: { matchLabels: { role: 'db' } } };
const alice = { namespaceSelector: { matchLabels: { user: 'alice' } } };
const client = { podSelector: { matchLabels: { role: 'client' } } };
const block = { ipBlock: { cidr: '172.17.0.0/16', except: ['172.17.1.0/24'] } };
const always: Name[] = ['db', 'node'];
const but = (...left: Name[]) => all.filter((name) => !left.includes(name));
const and = (...more: Name[]) => all.filter((name) => always.includes(name) || more.includes(name));

describe('into a pod', () => {
  test.each<[string, INetworkPolicySpec[], Name[]]>([
    ['no policy', [], all],
    ['one for other pods', [{ ...client, ingress: [] }], all],
    ['one for what leaves', [{ ...db, policyTypes: ['Egress'] }], all],
    ['deny all ingress', [{ podSelector: {}, policyTypes: ['Ingress'] }], and()],
    ['a policy without types is one of ingress', [{ podSelector: {} }], and()],
    ['allow all ingress', [{ podSelector: {}, ingress: [{}] }], all],
    ['allow all beside deny all: the union', [{ podSelector: {} }, { podSelector: {}, ingress: [{}] }], all],
    ['an empty from', [{ ...db, ingress: [{ from: [] }] }], all],
    ['a podSelector is of the same namespace', [{ ...db, ingress: [{ from: [client] }] }], and('client')],
    ['an empty one, too', [{ ...db, ingress: [{ from: [{ podSelector: {} }] }] }], and('client', 'other')],
    ['a namespaceSelector', [{ ...db, ingress: [{ from: [alice] }] }], and('aliceClient', 'aliceOther')],
    [
      'an empty namespaceSelector: all pods, and no address',
      [{ ...db, ingress: [{ from: [{ namespaceSelector: {} }] }] }],
      and('client', 'other', 'aliceClient', 'aliceOther'),
    ],
    [
      'a namespace by its name',
      [{ ...db, ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'alice' } } }] }] }],
      and('aliceClient', 'aliceOther'),
    ],
    ['both in one entry: AND', [{ ...db, ingress: [{ from: [{ ...alice, ...client }] }] }], and('aliceClient')],
    ['in two entries: OR', [{ ...db, ingress: [{ from: [alice, client] }] }], and('client', 'aliceClient', 'aliceOther')],
    ['a block, less its exceptions', [{ ...db, ingress: [{ from: [block] }] }], and('near')],
    ['a block of IPv6', [{ ...db, ingress: [{ from: [{ ipBlock: { cidr: '2001:db8::/32' } }] }] }], and('far')],
    [
      'two policies',
      [
        { ...db, ingress: [{ from: [client] }] },
        { podSelector: {}, ingress: [{ from: [block] }] },
      ],
      and('client', 'near'),
    ],
    [
      'peers and ports of one rule: AND',
      [
        {
          ...db,
          ingress: [
            { from: [client], ports: [{ port: 6379 }] },
            { from: [block], ports: [{ port: 1 }] },
          ],
        },
      ],
      and('client'),
    ],
  ])('%s', (_what, specs, expected) => expect(into(specs)).toEqual(expected));
});

describe('out of a pod', () => {
  test.each<[string, INetworkPolicySpec[], Name[]]>([
    ['deny all egress', [{ podSelector: {}, policyTypes: ['Egress'] }], and()],
    ['allow all egress', [{ podSelector: {}, policyTypes: ['Egress'], egress: [{}] }], all],
    ['egress rules make it one of egress, without types', [{ ...db, egress: [{ to: [client] }] }], and('client')],
    ['an empty list of them does not', [{ ...db, egress: [] }], all],
    ['types win over rules', [{ ...db, policyTypes: ['Ingress'], egress: [{ to: [client] }] }], all],
    ['the other end has its say', [{ ...client, ingress: [{ from: [alice] }] }], but('client')],
    ['deny all of a namespace is of that one', [{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }], and()],
  ])('%s', (_what, specs, expected) => expect(outOf(specs)).toEqual(expected));

  test('of another namespace', () => {
    const policies = [{ metadata: { namespace: 'alice' }, spec: { podSelector: {} } }];
    const reached = all.filter((name) => allows({ policies, namespaces }, ends.db, ends[name], { port: 1 }));
    expect(reached).toEqual(but('aliceClient', 'aliceOther'));
  });
});

test.each([
  ['none: every port', undefined, { port: 1 }, true],
  ['a number', [{ port: 6379 }], { port: 6379 }, true],
  ['another', [{ port: 6379 }], { port: 6380 }, false],
  ['TCP unless told', [{ port: 6379 }], { port: 6379, protocol: 'UDP' }, false],
  ['a protocol alone', [{ protocol: 'UDP' }], { port: 53, protocol: 'UDP' }, true],
  ['a range', [{ port: 32000, endPort: 32768 }], { port: 32768 }, true],
  ['beyond it', [{ port: 32000, endPort: 32768 }], { port: 32769 }, false],
  ['a name', [{ port: 'sql' }], { port: 6379 }, true],
  ['a name of another port', [{ port: 'sql' }], { port: 6380 }, false],
  ['a name that the pod does not have', [{ port: 'http' }], { port: 6379 }, false],
  ['one of several', [{ port: 'http' }, { port: 6379 }], { port: 6379 }, true],
] as const)('ports: %s', (_what, ports, port, expected) => {
  const specs = network({ ...db, ingress: [ports ? { ports: ports.map((one) => ({ ...one })) } : {}] });
  expect(allows(specs, ends.client, ends.db, port)).toBe(expected);
  const out = network({ ...client, policyTypes: ['Egress'], egress: [ports ? { ports: ports.map((one) => ({ ...one })) } : {}] });
  expect(allows(out, ends.client, ends.db, port)).toBe(expected);
});

test('a name of a port means nothing outside', () => {
  const out = network({ ...client, egress: [{ ports: [{ port: 'sql' }] }] });
  expect(allows(out, ends.client, ends.near, { port: 6379 })).toBe(false);
});

test.each([
  ['In', ['a', 'b'], { key: 'a' }, true],
  ['In', ['a', 'b'], {}, false],
  ['NotIn', ['a'], { key: 'b' }, true],
  ['NotIn', ['a'], { key: 'a' }, false],
  ['NotIn', ['a'], {}, true],
  ['Exists', undefined, { key: '' }, true],
  ['Exists', undefined, {}, false],
  ['DoesNotExist', undefined, {}, true],
  ['DoesNotExist', undefined, { key: 'a' }, false],
] as const)('%s %j of %j: %s', (operator, values, labels: Labels, expected) => {
  const expression = { key: 'key', operator, ...(values ? { values: [...values] } : {}) };
  expect(matches({ matchExpressions: [expression] }, labels)).toBe(expected);
  expect(matches({ matchLabels: { more: 'x' }, matchExpressions: [expression] }, { ...labels, more: 'x' })).toBe(expected);
  expect(matches({ matchLabels: { more: 'x' }, matchExpressions: [expression] }, labels)).toBe(false);
});
