import { interpolate } from '../../io/compose-interpolation.ts';
import type { BundleManifest } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { ComposeModel, ComposeService } from '../../io/compose.ts';
import type { EnvFile } from '../env/file.ts';
import { escapedText, escaped } from './compose-file.ts';

/** The services that run beside the scratch server in a rehearsal. */
export type RehearsalServices = { dependencies: Record<string, ComposeService>; oneShot: Record<string, ComposeService> };

/**
 * The migration service gets the declared environment and nothing else, so that it does not know production's queue, storage or mail
 * server. Without a declaration it gets its own environment. Values may use keys of `.env` as in a compose file.
 * @param model the compose model of the new release, as after the switch
 * @param onCopy variables that make the migration use the copy instead of the live database
 * @throws AirdockError COMPOSE_INVALID when the model lacks a needed service
 */
export function rehearsalServices(
  { migration, rehearsal }: BundleManifest,
  model: ComposeModel,
  env: EnvFile,
  onCopy: Readonly<Record<string, string>> = {},
): RehearsalServices {
  const { healthcheck: _none, ...migrating } = serviceOf(model, migration.service);
  const declared = rehearsal && Object.entries(rehearsal.env).map(([key, value]) => [key, valueOf(value, env)] as const);
  const environment = { ...(declared ? Object.fromEntries(declared) : migrating.environment), ...escaped(onCopy) };
  const oneShot = { ...migrating, environment };
  return {
    dependencies: Object.fromEntries((rehearsal?.dependencies ?? []).map((name) => [name, serviceOf(model, name)])),
    oneShot: { [migration.service]: oneShot },
  };
}

function valueOf(text: string, env: EnvFile): string {
  return escapedText(interpolate(text, (key) => env.expanded(key)));
}

function serviceOf({ services }: ComposeModel, name: string): ComposeService {
  const service = services[name];
  if (service) return service;
  throw new AirdockError(
    'COMPOSE_INVALID',
    `the rehearsal needs the service ${name}, which the release does not have with the active profiles`,
    {
      hint: 'Ask the vendor about it. To upgrade without a rehearsal, add --no-rehearsal.',
    },
  );
}
