import { jsonProblem } from '../../policy/health-answer.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { milliseconds, type BundleManifest, type HealthCheck } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { ContainerInfo } from '../../io/container.ts';
import type { EnvFile } from '../env/file.ts';
import { interpolate } from '../../io/compose-interpolation.ts';
import type { Site } from '../site/site.ts';

/**
 * A deployment is healthy when every container of the services runs, is not unhealthy and does not restart, and every HTTP check
 * of the release answers as declared. This must hold without a break for the longest window of the checks.
 */
export type HealthOptions = {
  site: Site;
  manifest: BundleManifest;
  env: EnvFile;
  services: readonly string[];
  /** The checks to ask, by default those of the release; none while traffic is not open. */
  checks?: readonly HealthCheck[];
  signal?: AbortSignal | undefined;
};

const unhealthyGrace = 10_000;
const containerDefaults = { window: 1000, interval: 500, timeout: 120_000 };

/** @returns milliseconds until the healthy time began @throws AirdockError HEALTH_FAILED with the last problem */
export async function waitHealthy(options: HealthOptions): Promise<number> {
  const checks = options.checks ?? options.manifest.health;
  const longest = (key: 'window' | 'timeout') =>
    checks.length === 0 ? containerDefaults[key] : Math.max(...checks.map((check) => milliseconds(check[key])));
  const window = longest('window');
  const timeout = longest('timeout');
  const interval = Math.min(...checks.map((check) => milliseconds(check.interval)), containerDefaults.interval);
  const started = performance.now();
  let greenSince: number | undefined;
  let restarts: string | undefined;
  let problem = 'nothing answered yet';
  const unhealthySince = new Map<string, number>();
  while (performance.now() - started < timeout) {
    options.signal?.throwIfAborted();
    const containers = await options.site.docker.containers({ project: options.site.project });
    const problems = [...containerProblems(containers, options.services), ...(await failedChecks(options, containers, checks))];
    const seen = restartsOf(containers);
    if (problems.length > 0 || seen !== (restarts ??= seen)) greenSince = undefined;
    restarts = seen;
    if (problems.length === 0) greenSince ??= performance.now();
    else problem = problems.join('; ');
    if (greenSince !== undefined && performance.now() - greenSince >= window) return Math.round(greenSince - started);
    const lost = hopelessContainer(containers, options.services, unhealthySince);
    if (lost)
      throw await failure(
        options,
        lost,
        lost.health === 'unhealthy' ? problem : `service ${lost.service} keeps restarting; ${problem}`,
      );
    await sleep(interval, undefined, options.signal ? { signal: options.signal } : {});
  }
  throw await failure(options, undefined, `not healthy after ${Math.round(timeout / 1000)} s: ${problem}`);
}

function containerProblems(containers: readonly ContainerInfo[], services: readonly string[]): string[] {
  return services.flatMap((service) => {
    const own = containers.filter((container) => container.service === service && !container.oneOff);
    if (own.length === 0) return [`service ${service} has no container`];
    return own.flatMap((container) => {
      if (container.state === 'exited' && container.exitCode === 0) return [];
      if (container.state !== 'running')
        return [`service ${service} is ${container.state}${container.exitCode === undefined ? '' : ` (${container.exitCode})`}`];
      return container.health === 'unhealthy' || container.health === 'starting'
        ? [`service ${service} is ${container.health}`]
        : [];
    });
  });
}

function restartsOf(containers: readonly ContainerInfo[]): string {
  return containers
    .map((container) => `${container.id}:${container.restarts}:${container.startedAt}`)
    .toSorted()
    .join();
}

/**
 * A container for which waiting is useless and only prolongs the downtime: it restarted three times, or Docker has called it
 * unhealthy for a while. (On a busy machine a start may take longer than Docker's retries.)
 */
function hopelessContainer(
  containers: readonly ContainerInfo[],
  services: readonly string[],
  unhealthySince: Map<string, number>,
): ContainerInfo | undefined {
  const now = performance.now();
  return containers.find((container) => {
    if (container.oneOff || !services.includes(container.service)) return false;
    if (container.health !== 'unhealthy') unhealthySince.delete(container.id);
    else if (!unhealthySince.has(container.id)) unhealthySince.set(container.id, now);
    return container.restarts >= 3 || now - (unhealthySince.get(container.id) ?? now) >= unhealthyGrace;
  });
}

async function failedChecks(
  options: HealthOptions,
  containers: readonly ContainerInfo[],
  checks: readonly HealthCheck[],
): Promise<string[]> {
  const answers = await Promise.all(checks.map((check) => ask(options, containers, check)));
  return answers.filter((answer) => answer !== undefined);
}

/** Asks a check. @returns what is wrong; undefined when the answer is as declared */
async function ask(
  options: HealthOptions,
  containers: readonly ContainerInfo[],
  check: HealthCheck,
): Promise<string | undefined> {
  const url = new URL(interpolate(check.url, (key) => options.env.expanded(key)));
  if (check.scope === 'internal') {
    const address = containers.find(
      (container) => container.service === check.service && !container.oneOff && container.state === 'running',
    )?.addresses;
    const ip = address && Object.values(address)[0];
    if (ip === undefined) return `${check.name}: service ${check.service} has no address`;
    url.hostname = ip;
  }
  try {
    const timeout = AbortSignal.timeout(5000);
    const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
    const response = await options.site.host.fetch(url, { signal, redirect: 'manual', headers: { connection: 'close' } });
    const body = await response.text();
    if (response.status !== check.status) return `${check.name}: ${url.href} answers ${response.status}, not ${check.status}`;
    return check.json && jsonProblem(check, body);
  } catch (error) {
    options.signal?.throwIfAborted();
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return `${check.name}: ${url.href} does not answer (${cause})`;
  }
}

async function failure(options: HealthOptions, container: ContainerInfo | undefined, text: string): Promise<AirdockError> {
  const containers = await options.site.docker.containers({ project: options.site.project });
  const shown = container ?? containers.find((one) => containerProblems([one], [one.service]).length > 0);
  const logs = shown ? await options.site.docker.logs(shown.id, { tail: 5 }) : '';
  return new AirdockError('HEALTH_FAILED', logs === '' ? text : `${text}\nlast lines of ${shown?.service}:\n${logs.trimEnd()}`, {
    hint: 'Send the report and the log to the vendor.',
  });
}
