// A Helm release whose helm, kubectl and record do at once what they are asked, without a cluster.
import type { ClusterRecord } from '../../src/kubernetes/record/record.ts';
import type { KubernetesRelease } from '../../src/kubernetes/record/site.ts';
import type { ProgressEvent } from '../../src/events.ts';
import type { Revision } from '../../src/io/helm-releases.ts';
import { revision } from './cluster-records.ts';

const now = '2026-11-27T18:00:00Z';

export type FakeOptions = {
  /** Undefined: airdock has not worked on the release. */
  record: ClusterRecord | undefined;
  history: readonly Revision[];
  /** What `helm get manifest` and `helm template` print. */
  manifests?: string;
  /** The version that `helm upgrade` puts in place. */
  version?: string;
  /** Whether a path of the API answers, as health checks ask it. */
  answers?: (path: string) => string | undefined;
  /** Whether the operator may, e.g. `create pods`. */
  may?: (right: string) => boolean;
};

export type Fake = {
  site: KubernetesRelease;
  /** What helm and kubectl were told to change, in order. */
  told: string[];
  events: ProgressEvent[];
  /** As it was written last. */
  left: () => ClusterRecord | undefined;
};

export function fakeRelease({ record, history, manifests = '', version = '', answers, may = () => true }: FakeOptions): Fake {
  const told: string[] = [];
  const events: ProgressEvent[] = [];
  const revisions = [...history];
  let left = record;
  const site = {
    release: 'shop',
    kubectl: {
      namespace: 'prod',
      context: undefined,
      get: async () => undefined,
      list: async () => [],
      remove: async () => {},
      raw: async (path: string) => answers?.(path),
      may: async (verb: string, resource: string) => may(`${verb} ${resource}`),
      scale: async (kind: string, name: string, count: number) => void told.push(`scale ${kind}/${name} ${count}`),
    },
    helm: {
      history: async () => [...revisions],
      appliesServerSide: async () => false,
      manifest: async () => manifests,
      hooks: async () => '',
      template: async () => manifests,
      upgrade: async () => {
        told.push('upgrade');
        revisions.push(revision((revisions.at(-1)?.revision ?? 0) + 1, 'deployed', version));
      },
      rollback: async (_release: string, to: number) => void told.push(`rollback ${to}`),
    },
    records: { read: async () => left, write: async (next: ClusterRecord) => void (left = next) },
    host: {
      clock: () => new Date(now),
      operator: 'ben@ops-2',
      runs: async () => false,
      listener: (event: ProgressEvent) => void events.push(event),
      patience: { forMs: 0, everyMs: 1 },
    },
  } as unknown as KubernetesRelease;
  return { site, told, events, left: () => left };
}

/** A chart with one Deployment and its Service of that name, and a migration Job unless `migration` says no. */
export function chartOf(service: string, { migration = true, secrets = [] as readonly string[] } = {}): string {
  const labels = { 'airdock.dev/service': service };
  const env = secrets.map((name) => ({ name: name.toUpperCase(), valueFrom: { secretKeyRef: { name, key: 'value' } } }));
  const template = { metadata: { labels }, spec: { containers: [{ name: service, image: `shop-${service}`, env }] } };
  const job = { ...labels, 'airdock.dev/migration': 'true' };
  const objects = [
    { kind: 'Deployment', metadata: { name: `shop-${service}`, labels }, spec: { selector: { matchLabels: labels }, template } },
    { kind: 'Service', metadata: { name: `shop-${service}`, labels }, spec: { ports: [{ name: 'http', port: 80 }] } },
    ...(migration ? [{ kind: 'Job', metadata: { name: 'shop-migrate', labels: job }, spec: { template } }] : []),
  ];
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}
