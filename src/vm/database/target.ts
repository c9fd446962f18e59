import type { DatabaseTarget } from '../../data/postgres/server/server.ts';
import { AirdockError } from '../../errors.ts';
import type { ComposeModel } from '../../io/compose.ts';
import type { DatabaseAccess } from './access.ts';
import type { Site } from '../site/site.ts';
import type { ContainerInfo } from '../../io/container.ts';

/** The tools' containers, by the deployment's directory: recovery removes what a killed airdock left. */
export const toolLabel = 'airdock.tool';

/** The deployment's database, as its tools reach it. @throws COMPOSE_INVALID; PREFLIGHT_FAILED when there are no tools here */
export async function databaseTarget(site: Site, access: DatabaseAccess): Promise<DatabaseTarget> {
  const { service, user, name: database, password, elsewhere } = access;
  const compose = await site.compose();
  if (!elsewhere) return { tools: compose, service, user, database };
  const model = await compose.config();
  const image = await databaseImage(site, model, service);
  if (image === undefined)
    throw new AirdockError('PREFLIGHT_FAILED', `there is no service ${service} here whose image has the database's tools`, {
      hint: `The database at ${elsewhere.host} is backed up by the tools of that image. Is the service behind a profile? COMPOSE_PROFILES in .env.`,
    });
  const tools = site.tools({
    image,
    ...seenBy(model, elsewhere.seenFrom),
    labels: { [toolLabel]: site.directory },
    env: { PGHOST: elsewhere.host, PGPORT: String(elsewhere.port), PGPASSWORD: password, ...elsewhere.environment },
  });
  return { tools, service, user, database };
}

/** What the container of that service runs, as the engine names it, else what one would run. */
export async function databaseImage(site: Site, model: ComposeModel, service: string): Promise<string | undefined> {
  return (await runningImage(site, service)) ?? model.services[service]?.image;
}

/** The image's id of that service's container; undefined when it has none. */
export async function runningImage({ docker, project }: Site, service: string): Promise<string | undefined> {
  return (await docker.containers({ project })).find((one) => one.service === service && !one.oneOff)?.imageId;
}

/** The network and the names that a service has. */
function seenBy({ services, networks = {} }: ComposeModel, name: string): { network: string; hosts: string[] } {
  const { networks: own = {}, network_mode: mode, extra_hosts: hosts = [] } = services[name] ?? {};
  const [first = 'default'] = Object.keys(own).toSorted((a, b) => Number(networks[a]?.internal) - Number(networks[b]?.internal));
  return { network: mode ?? networks[first]?.name ?? 'bridge', hosts: hosts.map((host) => host.replace('=', ':')) };
}
/** An address of the running container, which a login over TCP proves the password with: `exec` uses local trust (docs/FACTS.md "Logins"). */
export function databaseAddress(containers: readonly ContainerInfo[], service: string): string | undefined {
  const container = containers.find((one) => one.service === service && !one.oneOff && one.state === 'running');
  return container && Object.values(container.addresses)[0];
}
