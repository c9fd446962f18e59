import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BundleManifest } from '../../bundle/manifest.ts';
import type { BackupWriter, Written } from '../../data/postgres/backup/backup-writer.ts';
import { AirdockError } from '../../errors.ts';
import { runningImage } from '../database/target.ts';
import type { EnvFile } from '../env/file.ts';
import type { Site } from '../site/site.ts';

/** Redis, as the release declares it: state that is part of a backup, or a cache (docs/adr/0011-redis-and-volumes.md). */

type Redis = NonNullable<BundleManifest['redis']>;

/** Saves the state of Redis as an RDB file, as Redis sends it to a replica. Undefined when Redis does not run. */
export async function saveRedis(
  site: Site,
  redis: Redis,
  env: EnvFile,
  files: BackupWriter,
  signal?: AbortSignal,
): Promise<Written | undefined> {
  if (!(await runningImage(site, redis.service))) return undefined;
  const compose = await site.compose();
  const written = await files.stream('redis.rdb', async (sink) => {
    const stdout = withoutEndMarker();
    const options = { env: password(redis, env), stdout, signal };
    const [result] = await Promise.all([
      compose.exec(redis.service, ['redis-cli', '--rdb', '-'], options),
      pipeline(stdout, sink),
    ]);
    if (result.exitCode !== 0) throw unsaved(redis, result.stderr.trim() || `exit code ${result.exitCode}`);
  });
  await assertRdb(redis, files, written);
  return written;
}

/**
 * Removes the end marker of 40 hex digits. A server that sends without a file (repl-diskless-sync) appends it; redis-cli
 * removes it from a file, but not from stdout. No RDB file ends like that: nine bytes before its end there is 0xff.
 */
function withoutEndMarker(): Transform {
  let held = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const all = Buffer.concat([held, chunk]);
      held = all.subarray(-40);
      done(null, all.subarray(0, -40));
    },
    flush(done) {
      done(null, /^[0-9a-f]{40}$/.test(held.toString('latin1')) ? undefined : held);
    },
  });
}

/** An RDB file begins with `REDIS` and a version of four digits; it ends with an opcode and a checksum of eight bytes (rdb.h, RDB_OPCODE_EOF). */
async function assertRdb(redis: Redis, files: BackupWriter, written: Written): Promise<void> {
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  for await (const chunk of await files.open(written)) {
    const bytes = Buffer.from(chunk as Uint8Array);
    if (head.length < 9) head = Buffer.concat([head, bytes]).subarray(0, 9);
    tail = Buffer.concat([tail, bytes]).subarray(-9);
  }
  if (!/^REDIS\d{4}$/.test(head.toString('latin1')) || tail.length < 9 || tail[0] !== 0xff)
    throw unsaved(redis, 'the output of redis-cli --rdb is not a complete RDB file');
}

function unsaved({ service }: Redis, why: string): AirdockError {
  return new AirdockError('BACKUP_FAILED', `the state of ${service} could not be saved: ${why.slice(-500)}`, {
    hint: `Look at docker compose logs ${service}, and try again.`,
  });
}

/** Empties a cache while no code runs, because it has data of the database that is put aside. @throws AirdockError STEP_FAILED */
export async function emptyCache(site: Site, { redis }: Pick<BundleManifest, 'redis'>, env: EnvFile): Promise<string> {
  if (redis?.kind !== 'cache' || !(await runningImage(site, redis.service))) return '';
  const compose = await site.compose();
  const result = await compose.exec(redis.service, ['redis-cli', 'FLUSHALL'], { env: password(redis, env) });
  if (result.exitCode === 0 && result.stdout.trim() === 'OK') return `; ${redis.service} is empty: it is a cache`;
  throw new AirdockError('STEP_FAILED', `${redis.service} could not be emptied: ${(result.stderr || result.stdout).trim()}`, {
    hint: `It is a cache with data of the database that is replaced. Look at docker compose logs ${redis.service}.`,
  });
}

/** The password as an environment variable: arguments of a process are public. */
function password({ passwordKey }: Redis, env: EnvFile): Record<string, string> {
  const value = passwordKey === undefined ? undefined : env.get(passwordKey);
  return value ? { REDISCLI_AUTH: value } : {};
}
