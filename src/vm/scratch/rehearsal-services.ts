import { interpolate } from '../../io/compose-interpolation.ts';
import type { BundleManifest } from '../../bundle/manifest.ts';
import { AirdockError } from '../../errors.ts';
import type { ComposeModel, ComposeService } from '../../io/compose.ts';
import type { EnvFile } from '../env/file.ts';
import { doubled, escaped } from './compose-file.ts';

/** What stands beside the scratch server while the new release's migration is rehearsed. */
export type RehearsalServices = { dependencies: Record<string, ComposeService>; oneShot: Record<string, ComposeService> };

/**
 * The service that migrates with the declared environment and nothing else, so that it knows no production queue, store or mail
 * server; without a declaration, with its own. Values may ask for keys of `.env` as a compose file does.
 * @param model of the new release, as it is to be after the switch
 * @param onCopy what the migration is told besides, so that it finds the copy and not the live database
 * @throws AirdockError COMPOSE_INVALID when it has no such service
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
  return doubled(interpolate(text, (key) => env.expanded(key)));
}

function serviceOf({ services }: ComposeModel, name: string): ComposeService {
  const found = services[name];
  if (found) return found;
  throw new AirdockError(
    'COMPOSE_INVALID',
    `the rehearsal needs service ${name}, which the release does not have with these profiles`,
    {
      hint: 'Ask the vendor about it; to upgrade without a rehearsal: --no-rehearsal.',
    },
  );
}
