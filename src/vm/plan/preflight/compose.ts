import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Compose reads the new files together with the operator's. */
export function checkCompose({ compose }: Pick<Context, 'compose'>): Finding[] {
  if (!compose.invalid) return [];
  return [
    {
      code: 'COMPOSE_RENDER',
      text: `the new compose.yaml with your files does not render: ${compose.invalid.message}`,
      fix: 'Correct compose.override.yaml or .env: an override may name a service that this release no longer has.',
    },
  ];
}
