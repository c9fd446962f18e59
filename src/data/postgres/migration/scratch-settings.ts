/** Settings of a throwaway server, the same on a VM and on Kubernetes (docs/adr/0007, "The scratch server"). */

/** The superuser of the server, and the database that the image creates. */
export const scratchUser = 'airdock_scratch';

/** The data is thrown away: durability would only take time from the other containers. */
const settings = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  max_wal_size: '128MB',
  archive_mode: 'off',
};

/** Replaces settings of the live server that do not fit here: its memory, its log size, its standby servers, its address. */
const overLive = {
  min_wal_size: '32MB',
  max_parallel_maintenance_workers: '0',
  max_parallel_workers_per_gather: '0',
  synchronous_standby_names: '',
  listen_addresses: '*',
};

/** Disk space of an empty server with its write-ahead log (`max_wal_size`). */
export const emptyServerBytes = 200e6;

/** Arguments of a server that has no others. */
export function scratchArguments(): string[] {
  return argumentsOf(settings);
}

/** Arguments to append to those of the live server: if a setting is given twice, the last value counts. */
export function scratchArgumentsBehindLive(): string[] {
  return argumentsOf({ ...settings, ...overLive });
}

function argumentsOf(all: Record<string, string>): string[] {
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
