/**
 * `${version}` in any string. Other `${…}` are compose interpolation (health URLs) and stay.
 * A function as replacement: a version could hold `$&`, if a future schema let it.
 */
export function resolvePlaceholders<T>(value: T, version: string): T {
  if (typeof value === 'string') return value.replaceAll('${version}', () => version) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => resolvePlaceholders(item, version)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolvePlaceholders(member, version)])) as T;
}
