import type { ContainerInfo } from '../../../io/container.ts';
import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** What runs and is not well; a one-shot that ended with 0 is. */
export function checkRunning({ kind, containers, services }: Pick<Context, 'kind' | 'containers' | 'services'>): Finding[] {
  if (kind !== 'upgrade') return [];
  return services.flatMap((service) => {
    const own = containers.filter((one) => one.service === service && !one.oneOff);
    if (own.length > 0 && own.every((one) => isWell(one))) return [];
    const state = own.map((one) => `${one.state}${one.health === 'none' ? '' : `, ${one.health}`}`).join('; ');
    return [
      {
        code: 'SERVICE_NOT_RUNNING',
        text: `service ${service} is ${own.length === 0 ? 'not there' : state}`,
        fix: `Look at it (docker compose logs ${service}) and start it (docker compose up -d ${service}): an upgrade begins from a version that is well.`,
      },
    ];
  });
}

function isWell(container: ContainerInfo): boolean {
  if (container.state === 'exited') return container.exitCode === 0;
  return container.state === 'running' && container.health !== 'unhealthy';
}
