/** The defaults of an env template: KEY=VALUE lines, as compose reads them. A key without a value counts as not set. */
export function envDefaults(template: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const line of template.split(/\r?\n/)) {
    const [, key, raw = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined) continue;
    const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/.exec(raw);
    const value = quoted?.[2] ?? raw.replace(/(^|\s)#.*$/, '').trim();
    if (value !== '') values[key] = value;
  }
  return values;
}
