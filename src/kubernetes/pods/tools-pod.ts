import type { NamedByUrl } from '../../data/postgres/server/database-url.ts';
import type { Tools } from '../../data/postgres/server/server.ts';
import { waitPod } from './pods.ts';
import { placement } from './scratch-pod.ts';
import { insideLabels, type KubernetesRelease } from '../record/site.ts';
import type { PodSpec } from './workloads.ts';

/**
 * For a database outside of the release: the tools of the bundled PostgreSQL in a pod that stays while airdock works, and sees the
 * network as the application does. Its login is in a Secret of its own; both are gone afterwards.
 */
export async function withToolsPod<T>(
  site: KubernetesRelease,
  { url, image, spec }: { url: NamedByUrl; image: string; spec: PodSpec },
  work: (tools: Tools) => Promise<T>,
): Promise<T> {
  const { kubectl } = site;
  const name = `airdock-tools-${site.release}`;
  await removeTools(site);
  const metadata = { name, labels: { 'airdock.dev/tools': site.release, ...insideLabels(site) } };
  const login = { PGHOST: url.host, PGPORT: String(url.port), PGPASSWORD: url.password, ...url.environment };
  const container = {
    name: 'tools',
    image,
    command: ['sleep', '86400'],
    envFrom: [{ secretRef: { name } }],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
  let mine: string | undefined;
  try {
    await kubectl.create({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', stringData: login });
    const made = await kubectl.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: {
        ...placement(spec),
        securityContext: {},
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 1,
        containers: [container],
      },
    });
    mine = made.metadata.uid;
    await waitPod(kubectl, name, { until: 'ready', timeoutMs: 180_000, signal: site.host.signal });
    return await work({ exec: (_service, command, options) => kubectl.exec(name, 'tools', command, options) });
  } finally {
    // another command that looked at the same time took this one's away, and has its own by that name
    if ((await kubectl.get('pod', name))?.metadata.uid === mine) await removeTools(site);
  }
}

export async function removeTools({ kubectl, release }: KubernetesRelease): Promise<void> {
  for (const kind of ['pod', 'secret']) await kubectl.remove(kind, `airdock-tools-${release}`);
}
