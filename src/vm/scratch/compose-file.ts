import { scratchArgumentsBehindLive, scratchUser } from '../../data/postgres/migration/scratch-settings.ts';
import type { ComposeService } from '../../io/compose.ts';

/** Makes the compose file of a scratch server (docs/adr/0007, "The scratch server"). */

export type ScratchOptions = {
  /** The directory of the deployment that the scratch project belongs to. */
  directory: string;
  /** Service of the live database. The scratch service has the same name, so that programs find the copy under it. */
  service: string;
  /** The live service, as compose renders it. */
  live: ComposeService;
  /** The image of the live database's container. */
  image: string;
  password: string;
  /** Other services: throwaway dependencies, the migration service. */
  others?: Record<string, ComposeService>;
};

type Service = Record<string, unknown>;

/**
 * A container on an ordinary internal network still reaches the host, and every published port, by the network's gateway. A bridge
 * without an address has no gateway (the option is `isolated` since Docker 28; each engine ignores the other's option). The
 * resolver is an address where nothing answers, because the engine would forward names that are not services to the host's resolver.
 */
const network = {
  internal: true,
  driver_opts: {
    'com.docker.network.bridge.inhibit_ipv4': 'true',
    'com.docker.network.bridge.gateway_mode_ipv4': 'isolated',
  },
};
const names = { dns: ['127.0.0.1'], dns_opt: ['timeout:1', 'attempts:1'] };

/** The compose file as JSON, which compose reads too. */
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
    environment: { POSTGRES_USER: scratchUser, POSTGRES_DB: scratchUser, POSTGRES_PASSWORD: escapedText(password) },
    volumes: configurationOf(live),
    restart: 'no',
    stop_grace_period: '0s',
  };
}

/** Read-only files that configure the live server (`config_file`, keys), without data and init scripts. */
function configurationOf({ volumes = [] }: ComposeService): Service[] {
  return volumes
    .filter((one) => one.type === 'bind' && one.read_only === true && !one.target.startsWith('/docker-entrypoint-initdb.d'))
    .map(({ source, target }) => ({ type: 'bind', source, target, read_only: true }));
}

/** A service without volumes, ports and restart policy. */
function throwaway({ image, command, entrypoint, environment, healthcheck, working_dir, user }: ComposeService): Service {
  const kept = { image, command, entrypoint, environment, healthcheck, working_dir, user };
  const given = Object.entries(kept).filter(([, value]) => value !== undefined && value !== null);
  return { ...Object.fromEntries(given), restart: 'no', stop_grace_period: '0s' };
}

/** Escapes each `$`, because compose reads the value again. */
export function escapedText(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** Escapes each `$` of all values. */
export function escaped(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, escapedText(value)]));
}
