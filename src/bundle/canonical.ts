/** The canonical JSON of a bundle (docs/FORMAT.md section 4.1): sorted members, two spaces, one newline at the end. */
export function canonicalJson(value: unknown): Buffer {
  return Buffer.from(`${encode(value, '')}\n`);
}

/** `JSON.stringify` of an object with sorted members is not enough: JavaScript puts members named like integers first. */
function encode(value: unknown, indent: string): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => inner + encode(item, inner)).join(',\n')}\n${indent}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    if (members.length === 0) return '{}';
    const sorted = members.toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{\n${sorted.map(([key, member]) => `${inner}${JSON.stringify(key)}: ${encode(member, inner)}`).join(',\n')}\n${indent}}`;
  }
  return JSON.stringify(value);
}
