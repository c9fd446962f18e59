import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { AirdockError } from '../errors.ts';
import { dockerCredentials, type CredentialSource } from '../images/credentials.ts';
import { Registry } from '../images/registry.ts';
import type { RegistryOptions } from '../images/registry-client.ts';
import { RegistryWriter } from '../images/registry-writer.ts';
import { httpTransport, readCertificates } from '../images/transport.ts';
import type { CliContext } from './context.ts';

/** The options of every command that talks to a registry. */
export type RegistryFlags = { mirror?: Map<string, URL>; insecure?: string[]; secure?: string[]; caFile?: string | undefined };

export function addRegistryOptions(command: Command): Command {
  return command
    .option(
      '--mirror <host=url>',
      'read from this URL instead of the registry, e.g. ghcr.io=http://127.0.0.1:5000 (repeatable)',
      addMirror,
    )
    .option('--insecure <host>', 'a registry without TLS (repeatable)', (host: string, all?: string[]) => [...(all ?? []), host])
    .option('--ca-file <file>', 'certificates (PEM) to trust besides those of the system');
}

/** Call `close` at the end: connections are kept open. */
export async function openRegistry(context: CliContext, flags: RegistryFlags): Promise<{ registry: Registry; close(): void }> {
  const options = await registryOptions(context, flags);
  return { registry: new Registry(options), close: () => options.transport.close() };
}

/** `credentials` replace those that `docker login` stored; `writes` are the repositories that are pushed to. */
export async function openRegistryWriter(
  context: CliContext,
  { writes, credentials, ...flags }: RegistryFlags & { writes: readonly string[]; credentials?: CredentialSource | undefined },
): Promise<{ registry: RegistryWriter; close(): void }> {
  const options = await registryOptions(context, flags);
  const registry = new RegistryWriter({ ...options, credentials: credentials ?? options.credentials, writes });
  return { registry, close: () => options.transport.close() };
}

async function registryOptions(context: CliContext, flags: RegistryFlags): Promise<RegistryOptions> {
  return {
    transport: httpTransport({ env: context.env, ca: certificates(context, flags.caFile) }),
    credentials: dockerCredentials(context.env, (await context.tools()).run),
    mirrors: flags.mirror ?? new Map(),
    insecure: new Set(flags.insecure),
    secure: new Set(flags.secure),
    onRetry: (text) => context.listener({ type: 'note', text }),
  };
}

function addMirror(text: string, all?: Map<string, URL>): Map<string, URL> {
  const [, host, url] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (host === undefined || url === undefined || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new InvalidArgumentError('It must be HOST=URL, e.g. ghcr.io=http://127.0.0.1:5000.');
  }
  return new Map([...(all ?? []), [host, new URL(url)]]);
}

function certificates(context: CliContext, file: string | undefined): string[] {
  if (file === undefined) return [];
  const path = resolve(context.cwd, file);
  const found = existsSync(path) ? readCertificates(path) : [];
  if (found.length === 0) {
    throw new AirdockError('FILE_NOT_FOUND', `${path} holds no certificates`, { hint: 'Give a PEM file to --ca-file.' });
  }
  return found;
}
