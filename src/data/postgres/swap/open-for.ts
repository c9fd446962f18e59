import { type PostgresServer, type DatabaseId, fence, unfence } from './admin.ts';

/** Opens a fenced database while `work` reads it, and fences it again. */
export async function openFor<T>(server: PostgresServer, database: DatabaseId, work: () => Promise<T>): Promise<T> {
  await unfence(server, database);
  try {
    return await work();
  } finally {
    const { signal: _signal, ...always } = server;
    await fence(always, database.name);
  }
}
