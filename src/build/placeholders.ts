/**
 * Replaces `${version}` in every string of a value. Other `${…}` are compose interpolation (health URLs) and stay.
 * The replacement is a function, so that `$&` in a version would have no special meaning.
 */
export function resolvePlaceholders<T>(value: T, version: string): T {
  if (typeof value === 'string') return value.replaceAll('${version}', () => version) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => resolvePlaceholders(item, version)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolvePlaceholders(member, version)])) as T;
}
