import type { ContainerInfo } from '../../../io/container.ts';
import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks, before an upgrade, that every service runs and is healthy. A one-shot service that ended with 0 is healthy. */
export function checkRunning({ kind, containers, services }: Pick<Context, 'kind' | 'containers' | 'services'>): Finding[] {
  if (kind !== 'upgrade') return [];
  return services.flatMap((service) => {
    const ofService = containers.filter((container) => container.service === service && !container.oneOff);
    if (ofService.length > 0 && ofService.every((container) => isHealthy(container))) return [];
    const state = ofService
      .map((container) => `${container.state}${container.health === 'none' ? '' : `, ${container.health}`}`)
      .join('; ');
    return [
      {
        code: 'SERVICE_NOT_RUNNING',
        text: `service ${service} is ${ofService.length === 0 ? 'not running: it has no container' : state}`,
        fix: `Find the cause (docker compose logs ${service}) and start the service (docker compose up -d ${service}): an upgrade needs a version that is healthy.`,
      },
    ];
  });
}

function isHealthy(container: ContainerInfo): boolean {
  if (container.state === 'exited') return container.exitCode === 0;
  return container.state === 'running' && container.health !== 'unhealthy';
}
