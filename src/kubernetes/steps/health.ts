import { setTimeout as sleep } from 'node:timers/promises';
import { jsonProblem } from '../../policy/health-answer.ts';
import { milliseconds, type BundleManifest, type HealthCheck } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import { releaseOf, type ClusterRecord } from '../record/record.ts';
import type { KubernetesRelease } from '../record/site.ts';
import type { ChartObjects } from '../pods/workloads.ts';

/**
 * The release's checks, through the API server's proxy of its Services: no pod is needed for it, no port is opened. An external
 * check goes to the first traffic service that has one. @throws HEALTH_FAILED
 */
export async function waitHealthy(
  site: KubernetesRelease,
  manifest: Pick<BundleManifest, 'health' | 'traffic'>,
  objects: ChartObjects,
): Promise<string> {
  const asked = manifest.health.flatMap((check) => {
    const path = proxyPath(site, manifest, objects, check);
    return path === undefined ? [] : [{ check, path }];
  });
  const timeout = Math.max(0, ...asked.map(({ check }) => milliseconds(check.timeout)));
  const window = Math.max(0, ...asked.map(({ check }) => milliseconds(check.window)));
  let greenSince = Infinity;
  for (const end = performance.now() + timeout; asked.length > 0; await sleep(500)) {
    const problems = (await Promise.all(asked.map(({ check, path }) => problemOf(site, check, path)))).filter(
      (one) => one !== undefined,
    );
    const at = performance.now();
    greenSince = problems.length > 0 ? Infinity : Math.min(greenSince, at);
    if (at - greenSince >= window) break;
    if (at > end)
      throw new AirdockError('HEALTH_FAILED', problems.join('; ') || 'the checks were not green for long enough', {
        hint: 'kubectl get pods, kubectl logs tell more. Give the vendor the log.',
      });
  }
  return asked.length === 0 ? 'no checks' : `${asked.length} checks green for ${window / 1000} s`;
}

/** The same by what the record has of a release that was here, where no bundle is at hand. @throws HEALTH_FAILED */
export async function waitKnownHealthy(
  site: KubernetesRelease,
  record: ClusterRecord,
  version: string,
  objects: ChartObjects,
): Promise<string> {
  const release = releaseOf(record, version);
  return release ? waitHealthy(site, release, objects) : `the checks of ${version} are not on record: its pods are ready`;
}

function proxyPath(
  { kubectl }: KubernetesRelease,
  { traffic }: Pick<BundleManifest, 'traffic'>,
  { services }: ChartObjects,
  { scope, service, url }: HealthCheck,
): string | undefined {
  const wanted = scope === 'internal' ? [service] : traffic;
  const found = services.find((one) => wanted.includes(one.service));
  if (!found) return undefined;
  // the host is the VM's; what is asked for is the path
  const path = /^https?:\/\/[^/]*(\/.*)?$/.exec(url)?.[1] ?? '/';
  return `/api/v1/namespaces/${kubectl.namespace}/services/http:${found.name}:${found.port}/proxy${path}`;
}

async function problemOf({ kubectl }: KubernetesRelease, check: HealthCheck, path: string): Promise<string | undefined> {
  const body = await kubectl.raw(path);
  if (check.status === 200 && body === undefined) return `${check.name}: ${path} does not answer well`;
  return check.json && body !== undefined ? jsonProblem(check, body) : undefined;
}
