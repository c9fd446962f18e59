import { readdir } from 'node:fs/promises';

/** `20261122-2`: the day in UTC and a number within it. */
export async function nextBackupId(folder: string, now: Date): Promise<string> {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '');
  const taken = (await readdir(folder))
    .filter((name) => name.startsWith(`${day}-`))
    .map((name) => Number.parseInt(name.slice(9), 10));
  return `${day}-${Math.max(0, ...taken.filter(Number.isFinite)) + 1}`;
}
