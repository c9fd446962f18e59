import { AirdockError } from '../errors.ts';
import type { Run } from './process.ts';

const defaultEndpoint = 'unix:///var/run/docker.sock';

/**
 * The engine that `docker` on this machine would talk to: DOCKER_HOST, else the CLI's current context, else the default
 * socket. Resolved once, recorded, and passed to both dockerode and the CLI: docker-modem does not know contexts, so with
 * rootless Docker the two would otherwise use two engines (docs/FACTS.md "Which engine is meant").
 */
export async function resolveEndpoint(environment: NodeJS.ProcessEnv, run: Run): Promise<string> {
  const host = environment['DOCKER_HOST'] ?? '';
  // As with the CLI, DOCKER_HOST takes precedence over DOCKER_CONTEXT.
  if (host !== '') return supported(host);
  const answer = await run('docker', ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']);
  const fromContext = answer.exitCode === 0 ? answer.stdout.trim() : '';
  return supported(fromContext === '' ? defaultEndpoint : fromContext);
}

function supported(endpoint: string): string {
  if (/^unix:\/\/./.test(endpoint)) return endpoint;
  // Ports, bind mounts, health checks and the disk ledger all refer to the machine of the engine.
  throw new AirdockError('ENGINE_UNREACHABLE', `airdock does not support the Docker endpoint ${endpoint}`, {
    hint: 'Run airdock on the machine of the engine, with a unix:// endpoint in DOCKER_HOST or in the Docker context.',
  });
}
