import { randomBytes } from 'node:crypto';
import type { Compose } from './compose.ts';
import { isAirdockError } from '../errors.ts';
import type { Run } from './process.ts';

export type ToolboxOptions = {
  run: Run;
  /** Docker endpoint, from `resolveEndpoint`. */
  endpoint: string;
  /** The image with the programs, as the engine names it; the engine must have it. */
  image: string;
  /** A network of the engine, or `host`. */
  network: string;
  /** `NAME:ADDRESS`, besides the names that the network resolves. */
  hosts: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** Variables of every program, passed by name, so the values never show in a process list. */
  env: Readonly<Record<string, string>>;
  /** Variables for the docker command itself, besides the clean environment. Recovery uses them to find its processes. */
  environment?: Record<string, string>;
};

/**
 * Runs programs of an image, each in a new container that is removed when it ends, unlike `Compose.exec`, which uses a
 * running one. No volume and no log is kept, because the output is a dump.
 */
export function openToolbox(options: ToolboxOptions): Pick<Compose, 'exec'> {
  const { run, endpoint, image, network, hosts, labels } = options;
  const docker = { ...options.environment, DOCKER_HOST: endpoint };
  return {
    async exec(_service, [program = '', ...args], { env = {}, user, stdout, input, ...rest } = {}) {
      const name = `airdock-tool-${randomBytes(6).toString('hex')}`;
      const variables = { ...options.env, ...env };
      const flags = [
        '--rm',
        '--pull=never',
        '--log-driver=none',
        `--name=${name}`,
        `--network=${network}`,
        `--entrypoint=${program}`,
        ...hosts.flatMap((host) => ['--add-host', host]),
        ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...Object.keys(variables).flatMap((key) => ['--env', key]),
        ...(user === undefined ? [] : ['--user', user]),
        ...(input === undefined ? [] : ['--interactive']),
      ];
      const remove = () => run('docker', ['rm', '--force', '--volumes', name], { env: docker });
      try {
        const result = await run('docker', ['run', ...flags, image, ...args], {
          ...rest,
          input,
          onStdout: stdout,
          env: { ...variables, ...docker },
        });
        if (result.timedOut) await remove();
        return result;
      } catch (error) {
        // the first process of a container ignores SIGTERM unless it has a handler
        if (!isAirdockError(error, 'PREFLIGHT_FAILED')) await remove();
        throw error;
      }
    },
  };
}
