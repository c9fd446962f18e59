import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { AirdockError, errorText, systemCode } from '../errors.ts';
import type { Run } from '../io/process.ts';

/** `identityToken`: an OAuth2 refresh token, which some registries give instead of a password. */
export type Credentials = { username: string; password: string } | { identityToken: string };

/** Credentials for a registry host; undefined means anonymous. */
export type CredentialSource = (host: string) => Promise<Credentials | undefined>;

const dockerConfig = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
      }),
    )
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});
type DockerConfig = z.infer<typeof dockerConfig>;

type Env = Readonly<Record<string, string | undefined>>;

/** The logins that `docker login` and `podman login` stored, also in credential helpers. Docker's file is read first. */
export function dockerCredentials(env: Env, run: Run): CredentialSource {
  const read = new Map<string, Promise<DockerConfig>>();
  return async (host) => {
    for (const path of configPaths(env)) {
      const config = read.get(path) ?? readConfig(path);
      read.set(path, config);
      const found = await findIn(await config, path, host, env, run);
      if (found) return found;
    }
    return undefined;
  };
}

/** containers-auth.json(5): podman's file has the form of Docker's; without XDG_RUNTIME_DIR it is in /run. */
function configPaths(env: Env): string[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  const session = runtime ? join(runtime, 'containers') : `/run/containers/${process.getuid?.() ?? 0}`;
  return [
    join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json'),
    env['REGISTRY_AUTH_FILE'] || join(session, 'auth.json'),
  ];
}

/** Looks up a host in one file, in Docker's order: credHelpers, credsStore, auths. */
async function findIn(
  { credHelpers, credsStore, auths }: DockerConfig,
  path: string,
  host: string,
  env: Env,
  run: Run,
): Promise<Credentials | undefined> {
  // Docker stores the login of Docker Hub under the address of its first API.
  const keys = host === 'docker.io' ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'] : [host];
  for (const key of keys) {
    const helper = credHelpers?.[key] ?? credsStore;
    const answer = helper === undefined ? undefined : await askHelper(helper, key, env, run);
    if (answer) return answer;
  }
  for (const [key, entry] of Object.entries(auths ?? {})) {
    if (!keys.includes(key) && !keys.includes(hostOf(key))) continue;
    if (entry.identitytoken) return { identityToken: entry.identitytoken };
    if (entry.auth) return decode(entry.auth, key, path);
    if (entry.username) return { username: entry.username, password: entry.password ?? '' };
  }
  return undefined;
}

async function readConfig(path: string): Promise<DockerConfig> {
  try {
    return dockerConfig.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return {};
    throw new AirdockError('CONFIG_INVALID', `${path} cannot be read as Docker's configuration`, {
      hint: 'Repair the file, or point DOCKER_CONFIG to a directory with another config.json.',
      cause: error,
    });
  }
}

// docker-credential-helpers, "Development": `get`, the server's address on stdin, JSON on stdout
async function askHelper(helper: string, key: string, env: Env, run: Run): Promise<Credentials | undefined> {
  const program = `docker-credential-${helper}`;
  const failed = (why: string, cause?: unknown): AirdockError =>
    new AirdockError('REGISTRY_UNAUTHORIZED', `the credential helper ${program} gave no login for ${key}: ${why}`, {
      hint: `Run: echo ${key} | ${program} get`,
      cause,
    });
  if (!/^[\w.-]+$/.test(helper)) throw failed('this is not a valid program name');
  const answer = await run(program, ['get'], {
    input: Buffer.from(key),
    // Helpers of cloud providers read their own variables (AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS).
    env: Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined)),
    timeoutMs: 60_000,
  }).catch((error: unknown) => {
    throw failed(errorText(error), error);
  });
  if (answer.exitCode !== 0) {
    if (/credentials not found/i.test(answer.stdout + answer.stderr)) return undefined;
    throw failed((answer.stderr || answer.stdout).trim().slice(0, 300) || `exit code ${answer.exitCode}`);
  }
  // The output is a secret, so no message may quote it.
  const parsed = z.object({ Username: z.string(), Secret: z.string() }).safeParse(tryJson(answer.stdout));
  if (!parsed.success) throw failed('its answer is not {"Username", "Secret"}');
  const { Username: username, Secret: secret } = parsed.data;
  return username === '<token>' ? { identityToken: secret } : { username, password: secret };
}

function decode(auth: string, key: string, path: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1) {
    throw new AirdockError('CONFIG_INVALID', `the entry for ${key} in ${path} is not base64 of user:password`, {
      hint: `Run docker login ${hostOf(key)} again.`,
    });
  }
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
