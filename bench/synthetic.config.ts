import { defineBundle } from 'airdock';

/** What synthetic.ts makes: one service, no database, large layers. */
export default defineBundle({
  product: 'bulk',
  compose: 'compose.yaml',
  env: 'env.template',
  migration: { service: 'web', command: ['true'], history: [] },
  database: 'none',
  writers: [],
  traffic: ['web'],
  health: [
    {
      name: 'web',
      scope: 'external',
      url: 'http://127.0.0.1:${PORT:-8099}/health',
      status: 200,
      window: '500ms',
      interval: '250ms',
      timeout: '30s',
    },
  ],
  upgrade: { from: '>=1.0.0', stops: [] },
  requires: { engine: '>=20.10', compose: '>=2.24', disk: 0 },
});
