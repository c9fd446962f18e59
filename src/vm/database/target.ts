import type { DatabaseTarget } from '../../data/postgres/server/server.ts';
import { AirdockError } from '../../errors.ts';
import type { ComposeModel } from '../../io/compose.ts';
import type { DatabaseAccess } from './access.ts';
import type { Site } from '../site/site.ts';
import type { ContainerInfo } from '../../io/container.ts';

/** Label of the tools' containers, with the deployment's directory, by which recovery removes them after airdock was killed. */
export const toolLabel = 'airdock.tool';

/** The deployment's database, with the tools that reach it. @throws COMPOSE_INVALID; PREFLIGHT_FAILED when no service has the tools */
export async function databaseTarget(site: Site, access: DatabaseAccess): Promise<DatabaseTarget> {
  const { service, user, name: database, password, elsewhere } = access;
  const compose = await site.compose();
  if (!elsewhere) return { tools: compose, service, user, database };
  const model = await compose.config();
  const image = await databaseImage(site, model, service);
  if (image === undefined)
    throw new AirdockError(
      'PREFLIGHT_FAILED',
      `the deployment has no service ${service}, whose image has the tools of the database`,
      {
        hint: `airdock needs these tools for the database at ${elsewhere.host}. If the service has a profile, turn the profile on: COMPOSE_PROFILES in .env.`,
      },
    );
  const tools = site.tools({
    image,
    ...networkOf(model, elsewhere.networkOf),
    labels: { [toolLabel]: site.directory },
    env: { PGHOST: elsewhere.host, PGPORT: String(elsewhere.port), PGPASSWORD: password, ...elsewhere.environment },
  });
  return { tools, service, user, database };
}

/** The image that the service's container runs, by its id; without a container, the image that compose would use. */
export async function databaseImage(site: Site, model: ComposeModel, service: string): Promise<string | undefined> {
  return (await runningImage(site, service)) ?? model.services[service]?.image;
}

/** The image id of the service's container; undefined without a container. */
export async function runningImage({ docker, project }: Site, service: string): Promise<string | undefined> {
  return (await docker.containers({ project })).find((container) => container.service === service && !container.oneOff)?.imageId;
}

/** The network and the extra hosts of a service. */
function networkOf({ services, networks = {} }: ComposeModel, name: string): { network: string; hosts: string[] } {
  const { networks: serviceNetworks = {}, network_mode: mode, extra_hosts: hosts = [] } = services[name] ?? {};
  const [first = 'default'] = Object.keys(serviceNetworks).toSorted(
    (a, b) => Number(networks[a]?.internal) - Number(networks[b]?.internal),
  );
  return { network: mode ?? networks[first]?.name ?? 'bridge', hosts: hosts.map((host) => host.replace('=', ':')) };
}
/** An address of the running container. A login over TCP checks the password; `exec` does not, it uses local trust (docs/FACTS.md "Logins"). */
export function databaseAddress(containers: readonly ContainerInfo[], service: string): string | undefined {
  const container = containers.find((one) => one.service === service && !one.oneOff && one.state === 'running');
  return container && Object.values(container.addresses)[0];
}
