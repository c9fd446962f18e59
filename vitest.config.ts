import { defineConfig } from 'vitest/config';

// Projects with engines: one file at a time, one host at a time; what they share lies in the run's folder.
const engines = {
  globalSetup: ['test/helpers/run-folder.ts'],
  fileParallelism: false,
  testTimeout: 300_000,
  hookTimeout: 300_000,
};
const withEngines = ['test/e2e/**', 'test/crash/**', 'test/engine/**'];

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: withEngines } },
      { test: { ...engines, name: 'engine', include: ['test/engine/**/*.test.ts'] } },
      { test: { ...engines, name: 'e2e', include: ['test/e2e/**/*.test.ts'] } },
      { test: { ...engines, name: 'crash', include: ['test/crash/**/*.test.ts'] } },
    ],
  },
});
