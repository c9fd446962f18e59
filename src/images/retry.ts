import { setTimeout as delay } from 'node:timers/promises';

/** How often and with which pauses a request is retried. */
export type RetryPolicy = {
  /** Attempts in a row without progress. */
  attempts: number;
  /** First pause; doubles each time. */
  pauseMs: number;
  /** The longest pause that a registry may ask for with Retry-After. */
  longestMs: number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
};

export const patient: RetryPolicy = {
  attempts: 5,
  pauseMs: 500,
  longestMs: 60_000,
  sleep: async (ms, signal) => {
    await delay(ms, undefined, { signal });
  },
};

/** The pause before attempt `attempt` + 1; up to a quarter is random, so that parallel downloads do not come back together. */
export function pauseAfter(policy: RetryPolicy, attempt: number): number {
  const full = Math.min(policy.pauseMs * 2 ** (attempt - 1), policy.longestMs);
  return full * (0.75 + Math.random() / 4);
}

/** Milliseconds of a Retry-After header, which has seconds or a date (RFC 9110 section 10.2.3). */
export function retryAfter(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
