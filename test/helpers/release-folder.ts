import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A product's sources as a release engineer has them: configuration, compose file, template, guide, chart. */

export function configText(): string {
  return `import { defineBundle } from 'airdock';

/** The shop. */
export default defineBundle({
  product: 'shop',
  compose: 'deploy/compose.yaml',
  env: 'deploy/env.template',
  migration: {
    service: 'api',
    command: ['migrate'],
    history: [
      { version: '0.4.0', class: 'irreversible', summary: 'later' },
      { version: '0.3.0', class: 'expand', summary: 'adds notes.pinned' },
      { version: '0.2.0', class: 'none', summary: 'nothing' },
    ],
  },
  database: { service: 'db', userKey: 'POSTGRES_USER', passwordKey: 'POSTGRES_PASSWORD', nameKey: 'POSTGRES_DB' },
  writers: ['api'],
  traffic: ['web'],
  health: [
    {
      name: 'api',
      scope: 'external',
      url: 'http://127.0.0.1:port/health',
      status: 200,
      json: { version: '\${version}' },
      window: '2s',
      interval: '500ms',
      timeout: '60s',
    },
  ],
  upgrade: { from: '>=0.2.0', stops: [] },
  requires: { engine: '>=20.10', compose: '>=2.24', disk: '1GiB', postgres: 15 },
});
`;
}

export const composeText = `x-app: &app
  image: ghcr.io/\${OWNER:-acme}/api:\${VERSION}
services:
  api:
    <<: *app
  worker:
    <<: *app
    command: worker
  web:
    image: ghcr.io/\${OWNER:-acme}/web:\${VERSION}
  db:
    image: postgres:15
  storage:
    image: minio/minio:1
    profiles: [storage]
`;

const files: Readonly<Record<string, string>> = {
  'deploy/compose.yaml': composeText,
  'deploy/env.template': 'VERSION=\nOWNER=acme\n# airdock: required\nURL=\n',
  'deploy/README.md': '# The shop\n',
};

export async function writeRelease(root: string, changes: Readonly<Record<string, string>> = {}): Promise<string> {
  const all: Record<string, string> = { 'bundle.config.ts': configText(), ...files, ...changes };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return join(root, 'bundle.config.ts');
}

/** A chart that names the same images, and one of its own. */
export const chartFiles: Readonly<Record<string, string>> = {
  'deploy/values-template.yaml': 'image: {}\n',
  'deploy/chart/Chart.yaml': '# kept\napiVersion: v2\nname: shop\nversion: 0.0.0\nappVersion: "0.0.0"\n',
  'deploy/chart/.helmignore': '# no drafts\n*.draft\nnotes/\n',
  'deploy/chart/secret.draft': 'x',
  'deploy/chart/notes/a.txt': 'x',
  'deploy/chart/values.yaml':
    'image:\n  registry: ghcr.io\n  repository: acme/api\nexporter:\n  image: quay.io/acme/exporter:2\npostgresql:\n  enabled: false\n  image: postgres:15\n',
  'deploy/chart/values/bundled.yaml': 'postgresql:\n  enabled: true\n',
  'deploy/chart/values/external.yaml': 'exporter:\n  image: quay.io/acme/exporter:3\n',
  'deploy/chart/templates/all.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: api }
spec:
  template:
    spec:
      initContainers: [{ name: wait, image: "{{ .Values.exporter.image }}" }]
      containers: [{ name: api, image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Chart.AppVersion }}" }]
{{- if .Values.postgresql.enabled }}
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: dump, annotations: { helm.sh/hook: pre-upgrade } }
spec:
  jobTemplate: { spec: { template: { spec: { containers: [{ name: dump, image: "{{ .Values.postgresql.image }}" }] } } } }
{{- end }}
`,
};

export const chartConfig = configText().replace(
  "env: 'deploy/env.template',",
  "env: 'deploy/env.template',\n  chart: { path: 'deploy/chart', values: ['deploy/chart/values/bundled.yaml', 'deploy/chart/values/external.yaml'] },",
);
