/** What databases are called that a swap makes and puts aside (docs/adr/0008-irreversible.md, "Names"). */

/** The database that transaction N makes to put in place. */
export function nextName(id: number): string {
  return `airdock_${id}_next`;
}

/** `nodepad_0_3_0_t14`: what transaction 14 puts aside, of release 0.3.0. A name has 63 bytes. */
export function asideName(live: string, release: string, id: number): string {
  const suffix = `_${release.replace(/[^0-9A-Za-z]+/g, '_')}_t${id}`;
  const room = Math.max(0, 63 - Buffer.byteLength(suffix));
  return `${Buffer.from(live)
    .subarray(0, room)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}${suffix}`.slice(-63);
}
