import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { checkPorts } from '../../../../src/vm/plan/preflight/ports.ts';
import { composed, container, context } from '../../../helpers/preflight-context.ts';

test('a port that another program has; not one that the project itself has', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const published = { target: 80, published: String(port), host_ip: '127.0.0.1' };
    const compose = composed({ frontend: { ports: [published] } });
    const [finding, ...others] = await checkPorts(context({ compose }));
    expect([finding?.code, others]).toEqual(['PORT_IN_USE', []]);
    expect(finding?.text).toContain(`port ${port}, which service frontend publishes`);
    const own = container({ service: 'frontend', ports: [{ host: port, container: 80 }] as never });
    expect(await checkPorts(context({ compose, containers: [own] }))).toEqual([]);
  } finally {
    server.close();
  }
});
