// Who may reach whom by the NetworkPolicies of a cluster whose network keeps them: networking.k8s.io/v1, and no npm library does it.
import { BlockList, isIPv6 } from 'node:net';
import type { INetworkPolicy, INetworkPolicyPeer, INetworkPolicyPort } from 'kubernetes-models/networking.k8s.io/v1';

export type Labels = Readonly<Record<string, string>>;
type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type Port = { port: number; protocol?: Protocol };
/** `ports` of its containers: a policy may name them. */
type PodEnd = {
  namespace: string;
  labels: Labels;
  ports?: readonly { name?: string; containerPort: number; protocol?: string }[];
};
/**
 * An end of a connection: a pod; an address outside; or, with `node`, the node that the other end runs on, whose traffic is always
 * allowed (Kubernetes: "Network Policies"). Another node is an address like any other.
 */
export type End = { ip: string; pod?: PodEnd; node?: true };
/** A policy without a namespace is one of `default`. Namespaces that are not named have no labels but their name. */
export type Network = { policies: readonly Policy[]; namespaces?: Readonly<Record<string, Labels>> };
export type Policy = Pick<INetworkPolicy, 'metadata' | 'spec'>;

type Direction = 'Ingress' | 'Egress';
type Rule = { peers: readonly INetworkPolicyPeer[] | undefined; ports: readonly INetworkPolicyPort[] | undefined };

/** The policies of both ends say yes; the answer to a connection that is allowed always comes through. */
export function allows(network: Network, from: End, to: End, port: Port): boolean {
  // no pod can shut out itself
  if (from === to || from.node || to.node) return true;
  return passes(network, 'Egress', from, to, to, port) && passes(network, 'Ingress', to, from, to, port);
}

/** A pod that no policy selects for that direction is open; else any rule of any of them suffices. */
function passes(network: Network, direction: Direction, own: End, other: End, to: End, port: Port): boolean {
  const { pod } = own;
  if (!pod) return true;
  const isolating = network.policies.filter(
    (policy) =>
      namespaceOf(policy) === pod.namespace &&
      directionsOf(policy).includes(direction) &&
      matches(policy.spec?.podSelector, pod.labels),
  );
  if (isolating.length === 0) return true;
  return isolating.some((policy) =>
    rulesOf(policy, direction).some(
      ({ peers, ports }) =>
        (isEmpty(peers) || peers.some((peer) => isPeer(network, namespaceOf(policy), peer, other))) &&
        (isEmpty(ports) || ports.some((one) => isPort(one, to, port))),
    ),
  );
}

function namespaceOf({ metadata }: Policy): string {
  return metadata?.namespace ?? 'default';
}

/** Unless told: ingress, and egress where it has rules for it (kubernetes: SetDefaults_NetworkPolicy). */
function directionsOf({ spec }: Policy): readonly Direction[] {
  if (!isEmpty(spec?.policyTypes)) return spec?.policyTypes ?? [];
  return isEmpty(spec?.egress) ? ['Ingress'] : ['Ingress', 'Egress'];
}

function rulesOf({ spec }: Policy, direction: Direction): Rule[] {
  if (direction === 'Ingress') return (spec?.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }));
  return (spec?.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
}

/** Selectors mean pods: of the policy's namespace, or, with a namespaceSelector, of those that it selects. A block means addresses. */
function isPeer(
  { namespaces = {} }: Network,
  namespace: string,
  { podSelector, namespaceSelector, ipBlock }: INetworkPolicyPeer,
  { ip, pod }: End,
): boolean {
  if (ipBlock) return isWithin(ip, ipBlock.cidr) && !(ipBlock.except ?? []).some((cidr) => isWithin(ip, cidr));
  if (!pod) return false;
  const labels = { ...namespaces[pod.namespace], 'kubernetes.io/metadata.name': pod.namespace };
  const there = namespaceSelector ? matches(namespaceSelector, labels) : pod.namespace === namespace;
  return there && matches(podSelector, pod.labels);
}

type Selector = NonNullable<INetworkPolicyPeer['podSelector']>;

/** An empty one, or none, selects all. `NotIn` selects those without the label, too. */
export function matches({ matchLabels = {}, matchExpressions = [] }: Selector = {}, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      const isIn = value !== undefined && values.includes(value);
      if (operator === 'In') return isIn;
      if (operator === 'NotIn') return !isIn;
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      throw new Error(`no selector has the operator ${operator}`);
    })
  );
}

/** A name is one of the pod's that is reached, and means nothing elsewhere. */
function isPort({ port, endPort, protocol = 'TCP' }: INetworkPolicyPort, { pod }: End, asked: Port): boolean {
  if (protocol !== (asked.protocol ?? 'TCP')) return false;
  if (port === undefined) return true;
  if (typeof port === 'number') return asked.port >= port && asked.port <= (endPort ?? port);
  return (pod?.ports ?? []).some(
    (one) => one.name === port && one.containerPort === asked.port && (one.protocol ?? 'TCP') === protocol,
  );
}

function isWithin(ip: string, cidr: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  if (isIPv6(network) !== isIPv6(ip)) return false;
  const family = isIPv6(ip) ? 'ipv6' : 'ipv4';
  const block = new BlockList();
  block.addSubnet(network, Number(bits), family);
  return block.check(ip, family);
}

function isEmpty(list: readonly unknown[] | undefined): list is readonly [] | undefined {
  return list === undefined || list.length === 0;
}
