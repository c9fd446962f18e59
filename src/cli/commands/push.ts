import type { Command } from 'commander';
import { openBundle } from '../../bundle/reader.ts';
import { push as pushBundle } from '../../cluster/push.ts';
import { parseTarget, repositoriesOf } from '../../cluster/push-target.ts';
import { AirdockError } from '../../errors.ts';
import type { CredentialSource } from '../../images/credentials.ts';
import { bytesText } from '../../units.ts';
import type { Act, CliContext } from '../context.ts';
import type { PushDocument } from '../documents/push.ts';
import { openRegistryWriter } from '../registry-options.ts';
import { step } from '../step.ts';
import { addTrustOption, at, authorizeFrom, type TrustOptions } from '../trust.ts';

type Options = TrustOptions & {
  registry: string;
  username?: string;
  passwordStdin?: true;
  plainHttp?: true;
  caFile?: string;
  chart: boolean;
};

export function declare(command: Command, act: Act): void {
  addTrustOption(command.argument('<bundle>'))
    .description('Puts the images and the chart of a bundle into a registry, straight from the file; what is there is not sent.')
    .requiredOption('--registry <host/path>', 'where to, e.g. registry.internal/nodepad')
    .option('--username <name>', 'for the registry (default: what docker login keeps)')
    .option('--password-stdin', 'its password is the standard input')
    .option('--plain-http', 'the registry has no TLS')
    .option('--ca-file <file>', 'certificates (PEM) to trust besides those of the system')
    .option('--no-chart', 'leave the chart out')
    .action(act(push));
}

async function push(context: CliContext, file: string, options: Options): Promise<void> {
  const target = parseTarget(options.registry);
  const credentials = await credentialsOf(context, options);
  const authorize = await authorizeFrom(context, options);
  const { signal } = context;
  const { bundle } = await step(context, 'verify', async () => {
    const opened = await openBundle(at(context, file), { authorize, signal });
    return { bundle: opened, summary: `signed by ${opened.signer.fingerprint}` };
  });
  try {
    const [host = ''] = target.text.split('/');
    const writer = await openRegistryWriter(context, {
      ...(options.caFile === undefined ? {} : { caFile: options.caFile }),
      ...(options.plainHttp ? { insecure: [host] } : {}),
      ...(credentials ? { credentials } : {}),
      writes: repositoriesOf(target, bundle.manifest),
    });
    const { result } = await step(context, 'push', async (onProgress) => {
      const pushed = await pushBundle({ bundle, target, registry: writer.registry, chart: options.chart, signal, onProgress });
      const { sent, sentBytes, mounted, present } = pushed.blobs;
      return { result: pushed, summary: `${sent} blobs sent (${bytesText(sentBytes)}), ${mounted} mounted, ${present} there` };
    }).finally(() => writer.close());
    const { product, version } = bundle.manifest;
    const document: PushDocument = {
      schema: 'airdock.push/1',
      product,
      version,
      registry: target.text,
      key: bundle.signer.fingerprint,
      ...result,
    };
    context.result(document, textOf(document));
  } finally {
    await bundle.close();
  }
}

async function credentialsOf(
  context: CliContext,
  { username, passwordStdin }: Pick<Options, 'username' | 'passwordStdin'>,
): Promise<CredentialSource | undefined> {
  if (username === undefined && !passwordStdin) return undefined;
  if (username === undefined || !passwordStdin)
    throw new AirdockError('USAGE', '--username and --password-stdin are given together', {
      hint: 'Arguments of a process are public, so a password comes by standard input: --username ci --password-stdin < FILE.',
    });
  const password = (await context.stdin()).replace(/\r?\n$/, '');
  return async () => ({ username, password });
}

function textOf({ product, version, registry, images, chart }: PushDocument): string {
  const lines = [`${product} ${version} is in ${registry}.`];
  for (const { target, digest } of images) lines.push(`  ${target}  ${digest}`);
  if (chart) {
    const colon = chart.target.lastIndexOf(':');
    lines.push(`  oci://${chart.target.slice(0, colon)} --version ${chart.target.slice(colon + 1)}  ${chart.digest}`);
  }
  return `${lines.join('\n')}\n`;
}
