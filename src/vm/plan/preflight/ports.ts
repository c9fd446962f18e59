import { createServer } from 'node:net';
import { systemCode } from '../../../errors.ts';
import type { Finding } from '../../../policy/finding.ts';
import type { Context } from '../context.ts';

/** Checks that no other program uses a host port that the release publishes. */
export async function checkPorts({ compose, containers }: Pick<Context, 'compose' | 'containers'>): Promise<Finding[]> {
  const projectPorts = new Set(containers.flatMap((container) => container.ports.map((port) => port.host)));
  const published = Object.entries(compose.model?.services ?? {}).flatMap(([service, { ports }]) =>
    (ports ?? [])
      .filter((port) => (port.protocol ?? 'tcp') === 'tcp' && /^\d+$/.test(port.published ?? ''))
      .map((port) => ({ service, port: Number(port.published), host: port.host_ip })),
  );
  const findings: Finding[] = [];
  for (const { service, port, host } of published) {
    if (port === 0 || projectPorts.has(port) || !(await isTaken(port, host))) continue;
    findings.push({
      code: 'PORT_IN_USE',
      text: `port ${port}, which service ${service} publishes, is used by another program`,
      fix: `Find the program with: ss -ltnp 'sport = :${port}'. Stop it, or choose another port in .env.`,
    });
  }
  return findings;
}

function isTaken(port: number, host: string | undefined): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', (error) => resolve(systemCode(error) === 'EADDRINUSE'));
  server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(false)));
  return promise;
}
