import { createServer } from 'node:net';
import type { ComposeModel } from '../../../io/compose.ts';
import type { ContainerInfo } from '../../../io/container.ts';
import type { Docker, EngineInfo } from '../../../io/docker.ts';
import { systemCode } from '../../../errors.ts';
import { canonicalName } from '../../../images/reference.ts';
import { idOnStore, type NamedImage } from '../../images/names.ts';
import type { Finding } from '../../../policy/finding.ts';

/** What runs and is not well; a one-shot that ended with 0 is. */
export function checkRunning(containers: readonly ContainerInfo[], services: readonly string[]): Finding[] {
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

/** Every image of the rendered model is one of the release's, or there on the engine already (an operator's own service). */
export async function checkImages(model: ComposeModel, names: readonly NamedImage[], docker: Docker): Promise<Finding[]> {
  const ours = new Set(names.map((entry) => canonicalName(entry.name)));
  const findings: Finding[] = [];
  for (const [service, { image }] of Object.entries(model.services)) {
    if (image !== undefined && (ours.has(canonicalName(image)) || (await docker.inspectImage(image)))) continue;
    findings.push({
      code: 'IMAGE_UNRESOLVED',
      text: `service ${service} wants the image ${image ?? '(none)'}, which is neither in the release nor on this engine`,
      fix: 'Correct the image in your compose.override.yaml or .env, or load that image yourself.',
    });
  }
  return findings;
}

/** A product's name that containers, ours or a neighbour's, run under with another image: loading would move it away from them. */
export async function checkNames(names: readonly NamedImage[], docker: Docker, engine: EngineInfo): Promise<Finding[]> {
  const containers = await docker.containers();
  return names.flatMap(({ image, name }) => {
    const others = containers.filter((one) => one.image === name && one.imageId !== idOnStore(image, engine.store));
    if (others.length === 0) return [];
    return [
      {
        code: 'IMAGE_NAME_TAKEN',
        text: `${name} is another image on this engine, and ${others.map((one) => one.name).join(', ')} runs it`,
        fix: 'Ask the vendor why one version has two contents; remove those containers if they are not needed.',
      },
    ];
  });
}

/** Services whose containers a plain `up` would make anew: another configuration, or another image behind the name. */
export function recreatedServices(
  containers: readonly ContainerInfo[],
  model: ComposeModel,
  hashes: ReadonlyMap<string, string>,
  names: readonly NamedImage[],
  engine: EngineInfo,
): string[] {
  return Object.entries(model.services)
    .filter(([service, { image }]) =>
      containers.some((one) => {
        if (one.service !== service || one.oneOff) return false;
        const named = names.find((entry) => canonicalName(entry.name) === canonicalName(image ?? ''));
        return (
          one.configHash !== hashes.get(service) || (named !== undefined && idOnStore(named.image, engine.store) !== one.imageId)
        );
      }),
    )
    .map(([service]) => service);
}

/** Host ports that the release publishes and that something else than this project holds. */
export async function checkPorts(model: ComposeModel, containers: readonly ContainerInfo[]): Promise<Finding[]> {
  const own = new Set(containers.flatMap((one) => one.ports.map((port) => port.host)));
  const wanted = Object.entries(model.services).flatMap(([service, { ports }]) =>
    (ports ?? [])
      .filter((port) => (port.protocol ?? 'tcp') === 'tcp' && /^\d+$/.test(port.published ?? ''))
      .map((port) => ({ service, port: Number(port.published), host: port.host_ip })),
  );
  const findings: Finding[] = [];
  for (const { service, port, host } of wanted) {
    if (port === 0 || own.has(port) || !(await isTaken(port, host))) continue;
    findings.push({
      code: 'PORT_IN_USE',
      text: `port ${port}, which service ${service} publishes, is taken by another program`,
      fix: `Find it with: ss -ltnp 'sport = :${port}'. End it, or choose another port in .env.`,
    });
  }
  return findings;
}

function isTaken(port: number, host: string | undefined): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', (error) => resolve(systemCode(error) === 'EADDRINUSE'));
  server.listen({ port, ...(host === undefined ? {} : { host }), exclusive: true }, () => server.close(() => resolve(false)));
  return promise;
}
