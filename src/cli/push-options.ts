import type { Command } from 'commander';
import type { OpenBundle } from '../bundle/reader.ts';
import { push, type PushResult } from '../push/push.ts';
import { parseTarget, repositoriesOf, type PushTarget } from '../push/push-target.ts';
import { AirdockError } from '../errors.ts';
import type { CredentialSource } from '../images/credentials.ts';
import { bytesText } from '../units.ts';
import type { CliContext } from './context.ts';
import { openRegistryWriter } from './registry-options.ts';

/** How a registry is written to; for every command that pushes. */
export type PushOptions = { username?: string; passwordStdin?: true; plainHttp?: true; caFile?: string; chart: boolean };

export function addPushOptions(command: Command): Command {
  return command
    .option('--username <name>', 'for the registry (default: what docker login or podman login keeps)')
    .option('--password-stdin', 'its password is the standard input')
    .option('--plain-http', 'the registry has no TLS (a loopback address has none unless --ca-file is given)')
    .option('--ca-file <file>', 'certificates (PEM) to trust besides those of the system')
    .option('--no-chart', 'leave the chart out of the registry');
}

/** Asked for before anything is done, for it may read the standard input. @throws USAGE */
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
        ...(options.plainHttp ? { insecure: [host] } : {}),
        // who gives a CA wants TLS, on a loopback address (a tunnel's end), too
        ...(options.caFile === undefined ? {} : { caFile: options.caFile, secure: [host] }),
        ...(credentials ? { credentials } : {}),
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
  return `${sent} blobs sent (${bytesText(sentBytes)}), ${mounted} mounted, ${present} there`;
}

async function credentialsOf(
  context: CliContext,
  { username, passwordStdin }: PushOptions,
): Promise<CredentialSource | undefined> {
  if (username === undefined && !passwordStdin) return undefined;
  if (username === undefined || !passwordStdin)
    throw new AirdockError('USAGE', '--username and --password-stdin are given together', {
      hint: 'Arguments of a process are public, so a password comes by standard input: --username ci --password-stdin < FILE.',
    });
  const password = (await context.stdin()).replace(/\r?\n$/, '');
  if (password === '')
    throw new AirdockError('USAGE', 'the standard input holds no password', {
      hint: 'Is the file, or the variable, that it comes from empty? --username ci --password-stdin < FILE.',
    });
  return async () => ({ username, password });
}
