import { defineConfig } from 'vitest/config';

// Projects with engines: one file at a time, one host at a time; e2e and crash, the longest, two. Each worker has a folder of its
// own for its hosts and their states (test/helpers/run-folder.ts); crash finds those that e2e left there.
// Their limits are for what hangs: a machine that others use, too, was seen to take five times as long.
const engines = {
  globalSetup: ['test/helpers/run-folder.ts'],
  fileParallelism: false,
  testTimeout: 1_200_000,
  hookTimeout: 1_200_000,
};
const two = { fileParallelism: true, maxWorkers: 2 };
const withEngines = ['test/e2e/**', 'test/crash/**', 'test/engine/**', 'test/cluster/**'];

// Without a cluster what one said is played back (test/helpers/cluster.ts): of the runs that were recorded, side by side.
const playedBack = (process.env['AIRDOCK_CLUSTER'] ?? 'replay') === 'replay';
const cluster = {
  globalSetup: ['test/helpers/run-folder.ts', 'test/helpers/cluster-bundles.ts'],
  fileParallelism: playedBack,
  // they wait more than they work
  ...(playedBack ? { maxWorkers: 3 } : {}),
  exclude: process.env['AIRDOCK_CLUSTER'] === 'real' ? [] : ['**/*.real.test.ts'],
};

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: withEngines, testTimeout: 60_000, hookTimeout: 60_000 } },
      { test: { ...engines, name: 'engine', include: ['test/engine/**/*.test.ts'] } },
      { test: { ...engines, ...two, name: 'e2e', include: ['test/e2e/**/*.test.ts'] } },
      { test: { ...engines, ...two, name: 'crash', include: ['test/crash/**/*.test.ts'] } },
      { test: { ...engines, ...cluster, name: 'cluster', include: ['test/cluster/**/*.test.ts'] } },
    ],
  },
});
