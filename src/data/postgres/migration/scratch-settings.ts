/** How a throwaway server is started wherever it runs (docs/adr/0007, "The scratch server"). */

/** Its superuser, and the database that it starts with. */
export const scratchUser = 'airdock_scratch';

/** Durability costs time that the neighbours need, and nothing waits for an archive. */
const settings = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  max_wal_size: '128MB',
  archive_mode: 'off',
};

/** What those of a live server may say otherwise: memory and log that are kept, a standby that is waited for, an address. */
const unlikeLive = {
  min_wal_size: '32MB',
  max_parallel_maintenance_workers: '0',
  max_parallel_workers_per_gather: '0',
  synchronous_standby_names: '',
  listen_addresses: '*',
};

/** An empty server, and the write-ahead log that it may keep (`max_wal_size`). */
export const emptyServerBytes = 200e6;

/** Arguments of a server that is started with nothing else. */
export function scratchArguments(): string[] {
  return argumentsOf(settings);
}

/** Arguments to stand behind those of the live server: of a setting that is given twice the last one counts. */
export function scratchArgumentsBehindLive(): string[] {
  return argumentsOf({ ...settings, ...unlikeLive });
}

function argumentsOf(all: Record<string, string>): string[] {
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
