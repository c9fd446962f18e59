import semver from 'semver';
import type { BundleManifest, FileRecord, ImageRecord, Platform } from '../bundle/manifest.ts';
import { AirdockError } from '../errors.ts';
import type { LoadedConfig } from './load-config.ts';
import { parseSize } from './size.ts';

export type ManifestInput = {
  loaded: LoadedConfig;
  version: string;
  platform: Platform;
  created: Date;
  revision: string;
  builder: string;
  images: ImageRecord[];
  files: FileRecord[];
};

/** `bundle.json` from the configuration and what was collected. @throws AirdockError CONFIG_INVALID */
export function releaseManifest(input: ManifestInput): BundleManifest {
  const { config, path } = input.loaded;
  return {
    schema: 'airdock.bundle/1',
    format: 1,
    product: config.product,
    version: input.version,
    platform: input.platform,
    created: `${input.created.toISOString().slice(0, 19)}Z`,
    revision: input.revision,
    builder: input.builder,
    images: input.images,
    files: input.files,
    requires: { ...config.requires, disk: parseSize(config.requires.disk, `${path} requires.disk`) },
    upgrade: config.upgrade,
    migrations: migrationsOf(input.loaded, input.version),
    migration: { service: config.migration.service, command: config.migration.command },
    database: config.database,
    writers: config.writers,
    traffic: config.traffic,
    health: config.health,
    ...(config.redis ? { redis: config.redis } : {}),
    ...(config.rehearsal ? { rehearsal: config.rehearsal } : {}),
    volumes: config.volumes ?? [],
    ...(config.securityFloor === undefined ? {} : { securityFloor: config.securityFloor }),
  };
}

function migrationsOf({ config, path }: LoadedConfig, version: string): BundleManifest['migrations'] {
  const history = config.migration.history.toSorted((a, b) => semver.compare(a.version, b.version));
  const twice = history.find((entry, index) => entry.version === history[index - 1]?.version);
  if (twice) {
    throw new AirdockError('CONFIG_INVALID', `${path} migration.history: ${twice.version} is listed twice`, {
      hint: 'Keep one entry for each release, with the stricter class of the two.',
    });
  }
  return history.filter((entry) => semver.lte(entry.version, version));
}

/** Checks what the schema cannot: services and volumes against the compose file, version ranges, and keys against each other. @throws AirdockError CONFIG_INVALID */
export function checkAgainstCompose(
  { config, path }: LoadedConfig,
  version: string,
  { services, volumes }: { services: readonly string[]; volumes: readonly string[] },
): void {
  const named: [key: string, service: string | undefined][] = [
    ['migration.service', config.migration.service],
    ...config.writers.map((service, index): [string, string] => [`writers[${index}]`, service]),
    ...config.traffic.map((service, index): [string, string] => [`traffic[${index}]`, service]),
    ['database.service', config.database === 'none' ? undefined : config.database.service],
    ['redis.service', config.redis?.service],
    ...(config.rehearsal?.dependencies ?? []).map((service, index): [string, string] => [
      `rehearsal.dependencies[${index}]`,
      service,
    ]),
    ...config.health.map((check, index): [string, string | undefined] => [`health[${index}].service`, check.service]),
  ];
  const problems = named
    .filter(([, service]) => service !== undefined && !services.includes(service))
    .map(([key, service]) => `${path} ${key}: the compose file has no service ${service}`);
  for (const [key, range] of Object.entries({
    'upgrade.from': config.upgrade.from,
    'requires.engine': config.requires.engine,
    'requires.compose': config.requires.compose,
  })) {
    if (semver.validRange(range) === null) problems.push(`${path} ${key}: ${JSON.stringify(range)} is not a semver range`);
  }
  if (config.securityFloor !== undefined && semver.gt(config.securityFloor, version)) {
    problems.push(`${path} securityFloor: ${config.securityFloor} is above ${version}, the version being built`);
  }
  for (const [index, check] of config.health.entries()) {
    if (check.scope === 'internal' && check.service === undefined)
      problems.push(`${path} health[${index}].service: an internal check needs a service`);
  }
  const taken = new Set([config.migration.service, config.database === 'none' ? undefined : config.database.service]);
  for (const [index, service] of (config.rehearsal?.dependencies ?? []).entries()) {
    if (taken.has(service)) problems.push(`${path} rehearsal.dependencies[${index}]: ${service} is part of every rehearsal`);
  }
  const { volumes: saved = [] } = config;
  for (const [index, volume] of saved.entries())
    if (!volumes.includes(volume)) problems.push(`${path} volumes[${index}]: the compose file has no named volume ${volume}`);
  if (config.database === 'none' && (saved.length > 0 || config.redis?.kind === 'state'))
    problems.push(`${path} volumes, redis: they are saved with the backup of the database, and this release has no database`);
  if (problems.length === 0) return;
  throw new AirdockError('CONFIG_INVALID', problems.join('\n'), { hint: `The compose file has: ${services.join(', ')}.` });
}
