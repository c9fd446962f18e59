import { scratchArgumentsBehindLive, scratchUser } from '../../data/postgres/migration/scratch-settings.ts';
import type { ComposeService } from '../../io/compose.ts';

/** The compose file of a scratch server: what is in it, and what is not (docs/adr/0007, "The scratch server"). */

export type ScratchOptions = {
  /** The deployment's directory: whose scratch project this is. */
  directory: string;
  /** Service of the live database; the scratch one has its name, so that what asks for it by name finds the copy. */
  service: string;
  /** That service, as compose renders it. */
  live: ComposeService;
  /** What the container of the live database runs, as the engine names it. */
  image: string;
  password: string;
  /** Services besides: throwaway dependencies, the one that migrates. */
  others?: Record<string, ComposeService>;
};

type Service = Record<string, unknown>;

/**
 * A container on an ordinary internal network still reaches the host by the network's gateway, and with it every published
 * port. Without an address on the bridge there is none (`isolated` is its name since Docker 28; each engine ignores the
 * other's option). Names that are no service's are asked of nobody: the engine would hand them on to the host's resolver.
 */
const network = {
  internal: true,
  driver_opts: {
    'com.docker.network.bridge.inhibit_ipv4': 'true',
    'com.docker.network.bridge.gateway_mode_ipv4': 'isolated',
  },
};
const names = { dns: ['127.0.0.1'], dns_opt: ['timeout:1', 'attempts:1'] };

/** As JSON, which compose reads too. */
export function scratchFile(options: ScratchOptions): string {
  const { directory, service, others = {} } = options;
  const labels = scratchLabels(directory);
  const services: Record<string, Service> = {
    [service]: { ...names, labels: escaped(labels), ...databaseService(options) },
  };
  for (const [name, other] of Object.entries(others)) services[name] = { ...names, labels: escaped(labels), ...throwaway(other) };
  return `${JSON.stringify({ services, networks: { default: { ...network, labels: escaped(labels) } } }, undefined, 2)}\n`;
}

export function scratchLabels(directory: string): Record<string, string> {
  return { 'airdock.scratch': directory };
}

function databaseService({ live, image, password }: ScratchOptions): Service {
  return {
    image,
    ...(live.entrypoint ? { entrypoint: live.entrypoint } : {}),
    command: [...(live.command ?? ['postgres']), ...scratchArgumentsBehindLive()],
    environment: { POSTGRES_USER: scratchUser, POSTGRES_DB: scratchUser, POSTGRES_PASSWORD: doubled(password) },
    volumes: configurationOf(live),
    restart: 'no',
    stop_grace_period: '0s',
  };
}

/** Files that the live server is configured with (`config_file`, keys), to be read only; nothing that holds data or runs at the start. */
function configurationOf({ volumes = [] }: ComposeService): Service[] {
  return volumes
    .filter((one) => one.type === 'bind' && one.read_only === true && !one.target.startsWith('/docker-entrypoint-initdb.d'))
    .map(({ source, target }) => ({ type: 'bind', source, target, read_only: true }));
}

/** A service without what it keeps, publishes or is restarted by. */
function throwaway({ image, command, entrypoint, environment, healthcheck, working_dir, user }: ComposeService): Service {
  const kept = { image, command, entrypoint, environment, healthcheck, working_dir, user };
  const given = Object.entries(kept).filter(([, value]) => value !== undefined && value !== null);
  return { ...Object.fromEntries(given), restart: 'no', stop_grace_period: '0s' };
}

/** A `$` of a value that compose has not rendered. */
export function doubled(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** The same for every value. */
export function escaped(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, doubled(value)]));
}
