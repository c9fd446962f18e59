import { jsonProblem } from '../../policy/health-answer.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { milliseconds, type BundleManifest, type HealthCheck } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { ContainerInfo } from '../../io/container.ts';
import type { EnvFile } from '../env/file.ts';
import { interpolate } from '../../io/compose-interpolation.ts';
import type { Site } from '../site/site.ts';

/**
 * Green means: every container of the services runs, is not unhealthy and does not restart, and every HTTP check of the
 * release answers as declared, all of it without a break for the longest window.
 */
export type HealthOptions = {
  site: Site;
  manifest: BundleManifest;
  env: EnvFile;
  services: readonly string[];
  /** Containers alone, e.g. while traffic is not open. */
  checks?: readonly HealthCheck[];
  signal?: AbortSignal | undefined;
};

const unhealthyGrace = 10_000;
const containerDefaults = { window: 1000, interval: 500, timeout: 120_000 };

/** @returns milliseconds until green began. @throws AirdockError HEALTH_FAILED saying what was wrong last */
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
  let wrong = 'nothing answered yet';
  const unhealthySince = new Map<string, number>();
  while (performance.now() - started < timeout) {
    options.signal?.throwIfAborted();
    const containers = await options.site.docker.containers({ project: options.site.project });
    const found = [...containerProblems(containers, options.services), ...(await failedChecks(options, containers, checks))];
    const seen = restartsOf(containers);
    if (found.length > 0 || seen !== (restarts ??= seen)) greenSince = undefined;
    restarts = seen;
    if (found.length === 0) greenSince ??= performance.now();
    else wrong = found.join('; ');
    if (greenSince !== undefined && performance.now() - greenSince >= window) return Math.round(greenSince - started);
    const lost = hopeless(containers, options.services, unhealthySince);
    if (lost)
      throw await failure(
        options,
        lost,
        lost.health === 'unhealthy' ? wrong : `service ${lost.service} restarts again and again; ${wrong}`,
      );
    await sleep(interval, undefined, options.signal ? { signal: options.signal } : {});
  }
  throw await failure(options, undefined, `not healthy after ${Math.round(timeout / 1000)} s: ${wrong}`);
}

function containerProblems(containers: readonly ContainerInfo[], services: readonly string[]): string[] {
  return services.flatMap((service) => {
    const own = containers.filter((one) => one.service === service && !one.oneOff);
    if (own.length === 0) return [`service ${service} has no container`];
    return own.flatMap((one) => {
      if (one.state === 'exited' && one.exitCode === 0) return [];
      if (one.state !== 'running')
        return [`service ${service} is ${one.state}${one.exitCode === undefined ? '' : ` (${one.exitCode})`}`];
      return one.health === 'unhealthy' || one.health === 'starting' ? [`service ${service} is ${one.health}`] : [];
    });
  });
}

function restartsOf(containers: readonly ContainerInfo[]): string {
  return containers
    .map((one) => `${one.id}:${one.restarts}:${one.startedAt}`)
    .toSorted()
    .join();
}

/**
 * Docker's own verdict, after its retries, if it stays so: on a busy machine a start may outlast them. Or a container that
 * fell over three times. Waiting longer only lengthens the stop.
 */
function hopeless(
  containers: readonly ContainerInfo[],
  services: readonly string[],
  unhealthySince: Map<string, number>,
): ContainerInfo | undefined {
  const now = performance.now();
  return containers.find((one) => {
    if (one.oneOff || !services.includes(one.service)) return false;
    if (one.health !== 'unhealthy') unhealthySince.delete(one.id);
    else if (!unhealthySince.has(one.id)) unhealthySince.set(one.id, now);
    return one.restarts >= 3 || now - (unhealthySince.get(one.id) ?? now) >= unhealthyGrace;
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

/** What is wrong with the answer; undefined when it is as declared. */
async function ask(
  options: HealthOptions,
  containers: readonly ContainerInfo[],
  check: HealthCheck,
): Promise<string | undefined> {
  const url = new URL(interpolate(check.url, (key) => options.env.expanded(key)));
  if (check.scope === 'internal') {
    const address = containers.find((one) => one.service === check.service && !one.oneOff && one.state === 'running')?.addresses;
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
    hint: 'Give the vendor the report and the log.',
  });
}
