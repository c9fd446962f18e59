import { type Cluster, type DatabaseId, fence, unfence } from './admin.ts';

/** A fenced database is open while `work` reads it, and only then. */
export async function openFor<T>(cluster: Cluster, database: DatabaseId, work: () => Promise<T>): Promise<T> {
  await unfence(cluster, database);
  try {
    return await work();
  } finally {
    const { signal: _signal, ...always } = cluster;
    await fence(always, database.name);
  }
}
