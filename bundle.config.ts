import { defineBundle } from 'airdock';

/** NodePad's release: what CI builds with `airdock build --version X`. */
export default defineBundle({
  product: 'nodepad',
  compose: 'templates/compose.yaml',
  env: 'templates/env.template',
  chart: { path: 'templates/chart', values: ['templates/chart/values/bundled.yaml', 'templates/chart/values/external.yaml'] },
  migration: {
    service: 'api',
    command: ['python3', 'manage.py', 'migrate', '--noinput'],
    history: [
      { version: '0.3.0', class: 'expand', summary: 'adds notes.pinned' },
      { version: '0.3.1', class: 'expand', summary: 'makes notes.slug unique' },
      { version: '0.3.2', class: 'expand', summary: 'adds notes.archived' },
      { version: '0.4.0', class: 'irreversible', summary: 'drops notes.legacy_body, retypes members.quota' },
      { version: '0.4.1', class: 'irreversible', summary: 'makes members.name unique' },
      { version: '0.4.2', class: 'irreversible', summary: 'drops notes.slug' },
    ],
  },
  database: {
    service: 'db',
    urlKey: 'NODEPAD_DATABASE_URL',
    userKey: 'POSTGRES_USER',
    passwordKey: 'POSTGRES_PASSWORD',
    nameKey: 'POSTGRES_DB',
  },
  // Migrations talk to the database alone: no Redis, no storage, no address of a production service.
  rehearsal: {
    env: {
      POSTGRES_HOST: 'db',
      POSTGRES_USER: '${POSTGRES_USER:-nodepad}',
      POSTGRES_PASSWORD: '${POSTGRES_PASSWORD}',
      POSTGRES_DB: '${POSTGRES_DB:-nodepad}',
    },
    dependencies: [],
  },
  redis: { service: 'redis', kind: 'state' },
  writers: ['api', 'worker', 'beat'],
  // a worker takes jobs that users were promised: it comes in with them (docs/adr/0008-irreversible.md)
  traffic: ['frontend', 'worker', 'beat'],
  health: [
    {
      name: 'api',
      scope: 'external',
      url: 'http://127.0.0.1:${NODEPAD_PORT:-8080}/api/health',
      status: 200,
      json: { status: 'ok', version: '${version}' },
      window: '2s',
      interval: '500ms',
      timeout: '60s',
    },
    {
      name: 'ready',
      scope: 'internal',
      service: 'api',
      url: 'http://api:8000/api/ready',
      status: 200,
      window: '2s',
      interval: '500ms',
      timeout: '60s',
    },
  ],
  upgrade: { from: '>=0.2.0', stops: [] },
  requires: { engine: '>=20.10', compose: '>=2.24', disk: '1GiB', postgres: 15 },
});
