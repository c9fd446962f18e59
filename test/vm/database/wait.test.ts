import { beforeEach, expect, test, vi } from 'vitest';
import type { DatabaseTarget } from '../../../src/data/postgres/server/server.ts';
import { untilItAnswers } from '../../../src/vm/database/wait.ts';

// How long a server takes to start, nobody can order from a real one.
const starting = 'psql: error: connection to server on socket failed: FATAL:  the database system is starting up';
let asked: number;
let slept: number;
vi.mock('node:timers/promises', () => ({ setTimeout: async (ms: number) => void (slept += ms) }));

const target = (answersAfter: number): DatabaseTarget => ({
  service: 'db',
  user: 'shop',
  database: 'postgres',
  tools: {
    exec: async () => {
      const up = ++asked > answersAfter;
      return { exitCode: up ? 0 : 2, stdout: up ? '1\n' : '', stderr: up ? '' : starting };
    },
  },
});

beforeEach(() => {
  asked = 0;
  slept = 0;
});

test('a server that is still starting is waited for', async () => {
  await untilItAnswers(target(20));
  expect({ asked, slept }).toEqual({ asked: 21, slept: 10_000 });
});

test('a server that never answers: after a minute its message is the error', async () => {
  await expect(untilItAnswers(target(Infinity))).rejects.toMatchObject({
    code: 'DATABASE_UNREACHABLE',
    message: expect.stringContaining('is starting up'),
  });
  expect(slept).toBe(60_000);
});
