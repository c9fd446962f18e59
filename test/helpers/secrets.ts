import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where texts turn up that must not: seeded secrets, searched for in the plain. */

/** The values of these keys of a `.env`. */
export async function secretsOf(envFile: string, keys: readonly string[]): Promise<string[]> {
  const text = await readFile(envFile, 'utf8');
  return keys.map((key) => {
    const value = new RegExp(`^${key}=["']?([^"'\\n]+)`, 'm').exec(text)?.[1];
    if (value === undefined || value.length < 8) throw new Error(`${envFile} has no ${key} that could be searched for`);
    return value;
  });
}

/** Looks at the arguments of every process of the machine, as `ps` shows them, until it is stopped. @returns those that had one */
export function watchArguments(secrets: readonly string[]): { stop: () => { seen: number; found: string[] } } {
  const found = new Set<string>();
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        if (line.includes('docker')) seen.add(`${pid} ${line}`);
        if (secrets.some((secret) => line.includes(secret))) found.add(line);
      } catch {
        // it has ended
      }
    }
  };
  const timer = setInterval(look, 40);
  return {
    stop: () => {
      clearInterval(timer);
      return { seen: seen.size, found: [...found] };
    },
  };
}

/** Files below that have one of them. */
export async function filesWith(directory: string, secrets: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name));
    if (secrets.some((secret) => bytes.includes(secret))) found.push(join(entry.parentPath, entry.name));
  }
  return found;
}
