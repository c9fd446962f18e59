import type { Command } from 'commander';
import type { BundleManifest } from '../../bundle/manifest.ts';
import { openBundle, type OpenBundle } from '../../bundle/reader.ts';
import { shortDigest } from '../../digest.ts';
import type { Act, CliContext } from '../context.ts';
import type { InspectDocument } from '../documents/inspect.ts';
import { bytesText } from '../../units.ts';
import { addTrustOption, at, authorizeFrom, type TrustOptions } from '../trust.ts';

export function declare(command: Command, act: Act): void {
  addTrustOption(command.argument('<bundle>'))
    .description('Shows what a bundle carries. Its signature is checked first; its layers are not read (see verify).')
    .action(act(inspect));
}

async function inspect(context: CliContext, bundle: string, options: TrustOptions): Promise<void> {
  const authorize = await authorizeFrom(context, options);
  const open = await openBundle(at(context, bundle), { authorize, signal: context.signal });
  await open.close();
  const { product, version, platform, created, images, files, migrations, upgrade, requires } = open.manifest;
  const document: InspectDocument = {
    schema: 'airdock.inspect/1',
    product,
    version,
    platform,
    created,
    images,
    files,
    migrations,
    upgrade,
    requires,
    signature: { key: open.signer.fingerprint },
    leftOut: [...open.leftOut],
  };
  context.result(document, textOf(open));
}

function textOf({ manifest, signer, leftOut, size }: OpenBundle): string {
  const { product, version, platform, created, revision, builder, upgrade, requires } = manifest;
  const lines = [
    `${product} ${version} for ${platform}, ${bytesText(size)}`,
    row('signed by', signer.fingerprint),
    row('created', `${created} by ${builder}${revision === '' ? '' : ` from ${revision}`}`),
    ...rows('images', imageLines(manifest)),
    ...rows(
      'files',
      manifest.files.map((file) => `${file.path.padEnd(40)} ${bytesText(file.size).padStart(9)}`),
    ),
    row('upgrade', `from ${upgrade.from}${upgrade.stops.length === 0 ? '' : `, through ${upgrade.stops.join(', ')}`}`),
    ...rows(
      'migrations',
      manifest.migrations.map((entry) => `${entry.version}  ${entry.class}  ${entry.summary}`),
    ),
    row('requires', `Docker Engine ${requires.engine}, compose ${requires.compose}, ${bytesText(requires.disk)} free`),
    ...rows('left out', leftOut),
  ];
  return `${lines.join('\n')}\n`;
}

function imageLines({ images }: BundleManifest): string[] {
  const width = Math.max(...images.map(({ reference }) => reference.length), 0);
  return images.map((image) => {
    const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
    const head = `${image.reference.padEnd(width)}  ${shortDigest(image.manifestDigest)}  ${bytesText(size).padStart(9)}`;
    return `${head}  ${image.usedBy.join(', ')}`.trimEnd();
  });
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(11)} ${text}`;
}

function rows(name: string, texts: readonly string[]): string[] {
  return texts.map((text, index) => row(index === 0 ? name : '', text));
}
