import { randomBytes } from 'node:crypto';
import type { Compose } from './compose.ts';
import { isAirdockError } from '../errors.ts';
import type { Run } from './process.ts';

export type ToolboxOptions = {
  run: Run;
  /** Docker endpoint, from `resolveEndpoint`. */
  endpoint: string;
  /** Whose programs run, as the engine names it: it must be there. */
  image: string;
  /** A network of the engine, or `host`. */
  network: string;
  /** `NAME:ADDRESS`, besides what the network's own resolver knows. */
  hosts: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** Of every program, given by name: the values never show in a process list. */
  env: Readonly<Record<string, string>>;
  /** For the docker command itself, besides the clean environment: recovery finds its processes by it. */
  environment?: Record<string, string>;
};

/**
 * Programs of an image, each in a container of its own that is gone when it ends, instead of in one that runs
 * (`Compose.exec`). Nothing of it is kept: no volume, and no log, for what they print is a dump.
 */
export function openToolbox(options: ToolboxOptions): Pick<Compose, 'exec'> {
  const { run, endpoint, image, network, hosts, labels } = options;
  const docker = { ...options.environment, DOCKER_HOST: endpoint };
  return {
    async exec(_service, [program = '', ...args], { env = {}, user, stdout, input, ...rest } = {}) {
      const name = `airdock-tool-${randomBytes(6).toString('hex')}`;
      const given = { ...options.env, ...env };
      const flags = [
        '--rm',
        '--pull=never',
        '--log-driver=none',
        `--name=${name}`,
        `--network=${network}`,
        `--entrypoint=${program}`,
        ...hosts.flatMap((host) => ['--add-host', host]),
        ...Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
        ...Object.keys(given).flatMap((key) => ['--env', key]),
        ...(user === undefined ? [] : ['--user', user]),
        ...(input === undefined ? [] : ['--interactive']),
      ];
      const remove = () => run('docker', ['rm', '--force', '--volumes', name], { env: docker });
      try {
        const result = await run('docker', ['run', ...flags, image, ...args], {
          ...rest,
          input,
          onStdout: stdout,
          env: { ...given, ...docker },
        });
        if (result.timedOut) await remove();
        return result;
      } catch (error) {
        // the first process of a container takes no SIGTERM that it does not ask for
        if (!isAirdockError(error, 'PREFLIGHT_FAILED')) await remove();
        throw error;
      }
    },
  };
}
