import type { HealthCheck } from '../bundle/manifest.ts';

/** What is wrong with the JSON answer of a health check; undefined when every member is as declared. */
export function jsonProblem(check: HealthCheck, body: string): string | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return `${check.name}: the answer is not JSON`;
  }
  for (const [key, value] of Object.entries(check.json ?? {})) {
    const actual = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>)[key] : undefined;
    if (actual !== value) return `${check.name}: ${key} is ${JSON.stringify(actual)}, not ${JSON.stringify(value)}`;
  }
  return undefined;
}
