import { setTimeout as sleep } from 'node:timers/promises';
import { jsonProblem } from '../../policy/health-answer.ts';
import { milliseconds, type BundleManifest, type HealthCheck } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import { releaseOf, type ClusterRecord } from '../record/record.ts';
import type { KubernetesRelease } from '../record/site.ts';
import type { ChartObjects } from '../pods/workloads.ts';

/**
 * Waits until the release's health checks are green. They go through the API server's proxy of its Services, so no pod is started and no
 * port is opened. An external check goes to the first traffic service that has a Service.
 * @returns a summary. @throws HEALTH_FAILED
 */
export async function waitHealthy(
  site: KubernetesRelease,
  manifest: Pick<BundleManifest, 'health' | 'traffic'>,
  objects: ChartObjects,
): Promise<string> {
  const checks = manifest.health.flatMap((check) => {
    const path = proxyPath(site, manifest, objects, check);
    return path === undefined ? [] : [{ check, path }];
  });
  const timeout = Math.max(0, ...checks.map(({ check }) => milliseconds(check.timeout)));
  const window = Math.max(0, ...checks.map(({ check }) => milliseconds(check.window)));
  let greenSince = Infinity;
  for (const end = performance.now() + timeout; checks.length > 0; await sleep(500)) {
    const problems = (await Promise.all(checks.map(({ check, path }) => problemOf(site, check, path)))).filter(
      (one) => one !== undefined,
    );
    const at = performance.now();
    greenSince = problems.length > 0 ? Infinity : Math.min(greenSince, at);
    if (at - greenSince >= window) break;
    if (at > end)
      throw new AirdockError('HEALTH_FAILED', problems.join('; ') || 'the checks were not green for long enough', {
        hint: 'kubectl get pods and kubectl logs show more. Send the log to the vendor.',
      });
  }
  return checks.length === 0 ? 'no checks' : `${checks.length} checks green for ${window / 1000} s`;
}

/** `waitHealthy` with the checks that the record has of a release, where no bundle is at hand. @throws HEALTH_FAILED */
export async function waitKnownHealthy(
  site: KubernetesRelease,
  record: ClusterRecord,
  version: string,
  objects: ChartObjects,
): Promise<string> {
  const release = releaseOf(record, version);
  return release ? waitHealthy(site, release, objects) : `its pods are ready; the record has no checks of ${version}`;
}

function proxyPath(
  { kubectl }: KubernetesRelease,
  { traffic }: Pick<BundleManifest, 'traffic'>,
  { services }: ChartObjects,
  { scope, service, url }: HealthCheck,
): string | undefined {
  const composeServices = scope === 'internal' ? [service] : traffic;
  const target = services.find((one) => composeServices.includes(one.service));
  if (!target) return undefined;
  // the check's URL has the host of a VM: only its path counts here
  const path = /^https?:\/\/[^/]*(\/.*)?$/.exec(url)?.[1] ?? '/';
  return `/api/v1/namespaces/${kubectl.namespace}/services/http:${target.name}:${target.port}/proxy${path}`;
}

async function problemOf({ kubectl }: KubernetesRelease, check: HealthCheck, path: string): Promise<string | undefined> {
  const body = await kubectl.raw(path);
  if (check.status === 200 && body === undefined) return `${check.name}: ${path} does not answer with 200`;
  return check.json && body !== undefined ? jsonProblem(check, body) : undefined;
}
