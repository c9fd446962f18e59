import type { ContainerInspectInfo } from 'dockerode';

export type ContainerHealth = 'none' | 'starting' | 'healthy' | 'unhealthy';

/** A container; `service`, `project`, `configHash` and others come from compose's labels, '' without them. */
export type ContainerInfo = {
  id: string;
  name: string;
  service: string;
  project: string;
  /** Made by `compose run`. */
  oneOff: boolean;
  /** The image reference that it was created with, as written. */
  image: string;
  /** Config digest on the classic store, manifest digest on the containerd store. */
  imageId: string;
  /** created, running, paused, restarting, removing, exited, dead */
  state: string;
  health: ContainerHealth;
  /** Exit code of the last run, once it has ended. */
  exitCode?: number | undefined;
  configHash: string;
  workingDir: string;
  configFiles: string[];
  labels: Record<string, string>;
  ports: { container: number; protocol: string; hostIp: string; host: number }[];
  restarts: number;
  /** ISO 8601; '' when it never started. */
  startedAt: string;
  /** IPv4 address by network name; networks without an address are left out. */
  addresses: Record<string, string>;
};

const label = 'com.docker.compose.';

export function containerInfo(inspected: ContainerInspectInfo): ContainerInfo {
  const labels = inspected.Config.Labels ?? {};
  const { State: state } = inspected;
  return {
    id: inspected.Id,
    name: inspected.Name.replace(/^\//, ''),
    service: labels[`${label}service`] ?? '',
    project: labels[`${label}project`] ?? '',
    oneOff: labels[`${label}oneoff`] === 'True',
    image: inspected.Config.Image,
    imageId: inspected.Image,
    state: state.Status,
    health: healthOf(state.Health?.Status),
    exitCode: state.Status === 'exited' || state.Status === 'dead' ? state.ExitCode : undefined,
    configHash: labels[`${label}config-hash`] ?? '',
    workingDir: labels[`${label}project.working_dir`] ?? '',
    configFiles: (labels[`${label}project.config_files`] ?? '').split(',').filter((name) => name !== ''),
    labels,
    ports: portsOf(inspected.NetworkSettings.Ports),
    restarts: inspected.RestartCount,
    startedAt: state.StartedAt.startsWith('0001-') ? '' : state.StartedAt,
    addresses: Object.fromEntries(
      Object.entries(inspected.NetworkSettings.Networks ?? {})
        .map(([name, network]): [string, string] => [name, network.IPAddress])
        .filter(([, address]) => address !== ''),
    ),
  };
}

function healthOf(status: string | undefined): ContainerHealth {
  return status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : 'none';
}

function portsOf(ports: ContainerInspectInfo['NetworkSettings']['Ports'] | null): ContainerInfo['ports'] {
  return Object.entries(ports ?? {}).flatMap(([key, bindings]) => {
    const [container, protocol = 'tcp'] = key.split('/');
    // null for an exposed port that is not published
    return ((bindings as typeof bindings | null) ?? []).map((binding) => ({
      container: Number(container),
      protocol,
      hostIp: binding.HostIp ?? '',
      host: Number(binding.HostPort),
    }));
  });
}
