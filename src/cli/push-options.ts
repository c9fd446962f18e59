import type { Command } from 'commander';
import type { OpenBundle } from '../bundle/reader.ts';
import { push, type PushResult } from '../push/push.ts';
import { parseTarget, repositoriesOf, type PushTarget } from '../push/push-target.ts';
import { AirdockError } from '../errors.ts';
import type { CredentialSource } from '../images/credentials.ts';
import { bytesText } from '../units.ts';
import type { CliContext } from './context.ts';
import { openRegistryWriter } from './registry-options.ts';

/** The options of every command that pushes to a registry. */
export type PushOptions = { username?: string; passwordStdin?: true; plainHttp?: true; caFile?: string; chart: boolean };

export function addPushOptions(command: Command): Command {
  return command
    .option('--username <name>', 'user name for the registry (default: what docker login or podman login stored)')
    .option('--password-stdin', 'read the password for the registry from standard input')
    .option('--plain-http', 'the registry has no TLS (default for a loopback address, unless --ca-file is given)')
    .option('--ca-file <file>', 'certificates (PEM) to trust besides those of the system')
    .option('--no-chart', 'leave the chart out of the registry');
}

/** Reads the options, and standard input for the password, so it is called before any other work. @throws USAGE */
export async function pusherOf(
  context: CliContext,
  registry: string,
  options: PushOptions,
): Promise<{
  target: PushTarget;
  push(bundle: OpenBundle, onProgress: (bytes: number, total: number) => void): Promise<PushResult>;
}> {
  const target = parseTarget(registry);
  const credentials = await credentialsOf(context, options);
  return {
    target,
    async push(bundle, onProgress) {
      const [host = ''] = target.text.split('/');
      const writer = await openRegistryWriter(context, {
        insecure: options.plainHttp ? [host] : [],
        caFile: options.caFile,
        // a CA means TLS, also on a loopback address (the end of a tunnel)
        secure: options.caFile === undefined ? [] : [host],
        credentials,
        writes: repositoriesOf(target, bundle.manifest),
      });
      const { chart } = options;
      return push({ bundle, target, registry: writer.registry, chart, signal: context.signal, onProgress }).finally(() =>
        writer.close(),
      );
    },
  };
}

export function pushedText({ sent, sentBytes, mounted, present }: PushResult['blobs']): string {
  return `${sent} blobs sent (${bytesText(sentBytes)}), ${mounted} mounted, ${present} already there`;
}

async function credentialsOf(
  context: CliContext,
  { username, passwordStdin }: PushOptions,
): Promise<CredentialSource | undefined> {
  if (username === undefined && !passwordStdin) return undefined;
  if (username === undefined || !passwordStdin)
    throw new AirdockError('USAGE', '--username and --password-stdin are given together', {
      hint: 'Other users can read the arguments of a process, so give the password on standard input: --username ci --password-stdin < FILE.',
    });
  const password = (await context.stdin()).replace(/\r?\n$/, '');
  if (password === '')
    throw new AirdockError('USAGE', 'standard input holds no password', {
      hint: 'Check that the file with the password is not empty: --username ci --password-stdin < FILE.',
    });
  return async () => ({ username, password });
}
