import type { Command } from 'commander';
import { openBundle } from '../../bundle/reader.ts';
import { asStep } from '../../events.ts';
import type { Act, CliContext } from '../context.ts';
import type { PushDocument } from '../documents/push.ts';
import { addPushOptions, pushedText, pusherOf, type PushOptions } from '../push-options.ts';
import { addTrustOption, at, authorizeFrom, type TrustOptions } from '../trust.ts';

type Options = TrustOptions & PushOptions & { registry: string };

export function declare(command: Command, act: Act): void {
  addPushOptions(addTrustOption(command.argument('<bundle>')))
    .description(
      'Pushes the images and the chart of a bundle to a registry, straight from the file. What the registry already has is not sent.',
    )
    .requiredOption('--registry <host/path>', 'the target, e.g. registry.internal/nodepad')
    .action(act(push));
}

async function push(context: CliContext, file: string, options: Options): Promise<void> {
  const pusher = await pusherOf(context, options.registry, options);
  const authorize = await authorizeFrom(context, options);
  const { signal } = context;
  const { bundle } = await asStep(context.listener, 'verify', async () => {
    const opened = await openBundle(at(context, file), { authorize, signal });
    return { bundle: opened, summary: `signed by ${opened.signer.fingerprint}` };
  });
  try {
    const { result } = await asStep(context.listener, 'push', async (onProgress) => {
      const pushed = await pusher.push(bundle, onProgress);
      return { result: pushed, summary: pushedText(pushed.blobs) };
    });
    const { product, version } = bundle.manifest;
    const document: PushDocument = {
      schema: 'airdock.push/1',
      product,
      version,
      registry: pusher.target.text,
      key: bundle.signer.fingerprint,
      ...result,
    };
    context.result(document, textOf(document));
  } finally {
    await bundle.close();
  }
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
