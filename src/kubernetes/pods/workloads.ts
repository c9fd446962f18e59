import { parseAllDocuments } from 'yaml';
import { AirdockError } from '../../errors.ts';
import type { KubeObject } from '../../io/kubectl.ts';
import type { BundleManifest } from '../../bundle/manifest.ts';

/** The objects of a chart, each with its compose service (docs/adr/0013-cluster.md). */
const serviceLabel = 'airdock.dev/service';
const migrationLabel = 'airdock.dev/migration';

export type Workload = {
  kind: 'Deployment' | 'StatefulSet';
  name: string;
  /** The compose service of `bundle.json`. */
  service: string;
  /** Null where the chart leaves the number to an autoscaler. */
  replicas: number | null;
  /** Labels of its pods. */
  selector: Record<string, string>;
  container: string;
  image: string;
  /** The spec of its pods. */
  spec: PodSpec;
};

export type PodTemplate = { metadata?: { labels?: Record<string, string> }; spec: PodSpec };
export type PodSpec = {
  containers: (Record<string, unknown> & { name: string; image: string; env?: EnvEntry[] })[];
  [member: string]: unknown;
};
export type EnvEntry = { name: string; value?: string; valueFrom?: unknown };

export type ChartObjects = {
  workloads: Workload[];
  /** The migration Job, with its hook annotations; undefined where the chart makes none with these values. */
  migration: (KubeObject & { spec: { template: PodTemplate } }) | undefined;
  /** Services, with the compose service behind each and its first port. */
  services: { name: string; service: string; port: number | string }[];
};

type Manifest = KubeObject & {
  spec?: {
    replicas?: number | null;
    selector?: { matchLabels?: Record<string, string> };
    template?: PodTemplate;
    ports?: { name?: string; port: number }[];
  };
};

/** @throws CHART_INVALID */
export function chartObjects(manifests: string): ChartObjects {
  const objects: ChartObjects = { workloads: [], migration: undefined, services: [] };
  for (const document of parseAllDocuments(manifests, { merge: true })) {
    if (document.errors.length > 0)
      throw new AirdockError('CHART_INVALID', `the chart does not render to YAML: ${document.errors[0]?.message.split('\n')[0]}`);
    const object = document.toJS() as Manifest | null;
    const labels = object?.metadata?.labels ?? {};
    const service = labels[serviceLabel];
    if (!object || service === undefined) continue;
    const { kind, spec, metadata } = object;
    const [container] = spec?.template?.spec.containers ?? [];
    if ((kind === 'Deployment' || kind === 'StatefulSet') && container && spec?.template)
      objects.workloads.push({
        kind,
        name: metadata.name,
        service,
        replicas: spec?.replicas ?? null,
        selector: spec?.selector?.matchLabels ?? {},
        container: container.name,
        image: container.image,
        spec: spec.template.spec,
      });
    else if (kind === 'Job' && labels[migrationLabel] === 'true')
      objects.migration = object as ChartObjects['migration'] & object;
    else if (kind === 'Service' && spec?.ports?.[0])
      objects.services.push({ name: metadata.name, service, port: spec.ports[0].name ?? spec.ports[0].port });
  }
  return objects;
}

/** @throws CHART_UNLABELLED when no workload has the label of one of these services */
export function assertLabelled(objects: ChartObjects, services: readonly string[], chart: string): void {
  const missing = services.filter((service) => !objects.workloads.some((one) => one.service === service));
  if (missing.length === 0) return;
  throw new AirdockError(
    'CHART_UNLABELLED',
    `${chart} has no workload labelled ${missing.map((name) => `${serviceLabel}=${name}`).join(', ')}`,
    {
      hint: 'Without these labels airdock does not know which workloads write to the database. Run airdock push and then helm by hand, or ask the vendor for a chart with the labels.',
    },
  );
}

export function writersOf({ writers }: Pick<BundleManifest, 'writers'>, { workloads }: ChartObjects): Workload[] {
  return workloads.filter(({ service }) => writers.includes(service));
}
