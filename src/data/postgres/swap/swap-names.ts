/** Names of the databases that a swap puts in place and puts aside (docs/adr/0008-irreversible.md, "Names"). */

/** The database that transaction `id` makes, and later puts in place. */
export function nextName(id: number): string {
  return `airdock_${id}_next`;
}

/** `nodepad_0_3_0_t14`: transaction 14 put aside the database of release 0.3.0. A name has at most 63 bytes. */
export function asideName(live: string, release: string, id: number): string {
  const suffix = `_${release.replace(/[^0-9A-Za-z]+/g, '_')}_t${id}`;
  const maxBytes = Math.max(0, 63 - Buffer.byteLength(suffix));
  return `${Buffer.from(live)
    .subarray(0, maxBytes)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}${suffix}`.slice(-63);
}
