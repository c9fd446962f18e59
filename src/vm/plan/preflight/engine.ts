import semver from 'semver';
import { findingOf, type Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that Docker Engine and the compose plugin have the versions that the release requires. */
export async function checkVersions({ site, engine, release }: Pick<Context, 'site' | 'engine' | 'release'>): Promise<Finding[]> {
  const { requires } = release.manifest;
  const compose = await site.compose();
  const findings: Finding[] = [];
  if (!satisfies(engine.serverVersion, requires.engine))
    findings.push({
      code: 'ENGINE_TOO_OLD',
      text: `Docker Engine is ${engine.serverVersion}, the release needs ${requires.engine}`,
      fix: 'Upgrade Docker Engine on this machine.',
    });
  try {
    const version = await compose.version();
    if (!satisfies(version, requires.compose))
      findings.push({
        code: 'COMPOSE_TOO_OLD',
        text: `the compose plugin is ${version}, the release needs ${requires.compose}`,
        fix: 'Install a newer docker compose plugin.',
      });
  } catch (error) {
    findings.push(findingOf(error));
  }
  return findings;
}

/** Ignores distributions' suffixes (`20.10.24+dfsg1`, `2.26.1-4`). */
function satisfies(installed: string, range: string): boolean {
  const version = semver.coerce(installed);
  return version !== null && semver.satisfies(version, range);
}
