import type { NamedByUrl } from '../../data/postgres/server/database-url.ts';
import type { Tools } from '../../data/postgres/server/server.ts';
import { waitPod } from './pods.ts';
import { placement } from './scratch-pod.ts';
import { insideLabels, type KubernetesRelease } from '../record/site.ts';
import type { PodSpec } from './workloads.ts';

/**
 * Runs `work` with the tools of the bundled PostgreSQL image, for a database outside the cluster. They run in a pod that reaches what the
 * application's pods reach, with the login in a Secret. The pod and the Secret are removed afterwards.
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
  let uid: string | undefined;
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
    uid = made.metadata.uid;
    await waitPod(kubectl, name, { until: 'ready', timeoutMs: 180_000, signal: site.host.signal });
    return await work({ exec: (_service, command, options) => kubectl.exec(name, 'tools', command, options) });
  } finally {
    // another command may have removed this pod meanwhile and made its own with the same name
    if ((await kubectl.get('pod', name))?.metadata.uid === uid) await removeTools(site);
  }
}

export async function removeTools({ kubectl, release }: KubernetesRelease): Promise<void> {
  for (const kind of ['pod', 'secret']) await kubectl.remove(kind, `airdock-tools-${release}`);
}
