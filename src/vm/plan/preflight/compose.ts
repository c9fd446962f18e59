import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that compose can read the new files together with the operator's. */
export function checkCompose({ compose }: Pick<Context, 'compose'>): Finding[] {
  if (!compose.invalid) return [];
  return [
    {
      code: 'COMPOSE_RENDER',
      text: `compose cannot read the new compose.yaml together with your files: ${compose.invalid.message}`,
      fix: 'Correct compose.override.yaml or .env: an override may name a service that this release no longer has.',
    },
  ];
}
