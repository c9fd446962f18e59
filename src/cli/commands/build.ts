import { arch } from 'node:os';
import { relative, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { build, type BuildHost, type BuildOptions, type BuildResult } from '../../build/build.ts';
import type { Installers } from '../../build/installer.ts';
import { gitRevision } from '../../build/revision.ts';
import { parseSource } from '../../build/sources.ts';
import { platform, platformOf, version as versionSchema, type Platform } from '../../bundle/manifest.ts';
import { signerOf, signWith } from '../../bundle/signature.ts';
import { hexOf } from '../../digest.ts';
import { AirdockError } from '../../errors.ts';
import { cacheDirectory } from '../cache-directory.ts';
import type { Act, CliContext } from '../context.ts';
import type { BuildDocument } from '../documents/build.ts';
import { addRegistryOptions, openRegistry, type RegistryFlags } from '../registry-options.ts';
import { bytesText } from '../../units.ts';
import { addKeyOptions, findSigningKey, type KeyOptions } from '../signing-key.ts';
import { readTrustFile } from '../trust-file.ts';
import { airdockVersion } from '../version.ts';

type Options = RegistryFlags &
  KeyOptions & {
    version: string;
    config: string;
    output: string;
    platform: Platform;
    source: string;
    cacheDir?: string;
    updateLock?: true;
    installer: boolean;
    installers?: string;
    trustChain?: string;
  };

export function declare(command: Command, act: Act): void {
  addRegistryOptions(addKeyOptions(command))
    .description(
      'Makes the bundle of a release: every image that its compose file and its chart name, and everything else it needs.',
    )
    .requiredOption('--version <version>', 'the release, e.g. 0.4.0')
    .option('--config <file>', 'the configuration of the release', 'bundle.config.ts')
    .option('--output <path>', 'the bundle, or a directory for it', '.')
    .addOption(new Option('--platform <platform>', 'platform of the images').choices(platform.options).default('linux/amd64'))
    .option(
      '--source <source>',
      'where images come from, unless the configuration says: registry, engine, oci:DIR or archive:FILE',
      'registry',
    )
    .option('--cache-dir <dir>', 'where blobs are kept between builds (default: ~/.cache/airdock)')
    .option('--installers <dir>', 'directory with airdock-linux-ARCH (default: this program, and its directory)')
    .option('--no-installer', 'leave the installer out: the VM must have one')
    .option('--trust-chain <file>', 'trust.json, as airdock trust rotate writes it, to put into the bundle')
    .option('--update-lock', 'accept tags that moved since the lock file was written')
    .action(act(run));
}

async function run(context: CliContext, options: Options): Promise<void> {
  const version = versionSchema.safeParse(options.version);
  if (!version.success) {
    throw new AirdockError(
      'USAGE',
      `--version ${JSON.stringify(options.version)} is not a version: ${version.error.issues[0]?.message}`,
      {
        hint: 'Give it as 0.4.0 or 0.4.0-rc.1.',
      },
    );
  }
  const key = await findSigningKey(context, options);
  const tools = await context.tools();
  const connection = await openRegistry(context, options);
  const host: BuildHost = {
    registry: connection.registry,
    engine: async () => {
      const io = await context.io();
      return io.openDocker(await io.resolveEndpoint(context.env, io.run));
    },
    helm: tools.openHelm(tools.run),
    revision: (directory) => gitRevision(tools.run, directory),
    listener: context.listener,
    now: () => context.now().getTime(),
    signal: context.signal,
  };
  const buildOptions: BuildOptions = {
    config: resolve(context.cwd, options.config),
    version: version.data,
    platform: options.platform,
    output: resolve(context.cwd, options.output),
    source: parseSource(options.source, context.cwd),
    updateLock: options.updateLock ?? false,
    cacheDirectory: options.cacheDir === undefined ? cacheDirectory(context) : resolve(context.cwd, options.cacheDir),
    created: created(context),
    builder: `airdock ${airdockVersion}`,
    installers: options.installer ? installersOf(context, options.installers) : undefined,
    sign: key && signWith(key),
    signer: key && signerOf(key),
    trust: options.trustChain === undefined ? undefined : await readTrustFile(context, options.trustChain),
  };
  const result = await build(buildOptions, host).finally(() => connection.close());
  const fingerprint = key ? signerOf(key).fingerprint : null;
  context.result(documentOf(result, fingerprint), textOf(context, result, fingerprint));
}

/** `--installers` takes precedence over the running program. */
function installersOf({ self, cwd }: CliContext, directory: string | undefined): Installers {
  const { executable, installers, licenses } = self;
  const own =
    executable === undefined || directory !== undefined ? undefined : { path: executable, platform: platformOf(arch()) };
  return { own, directory: directory === undefined ? installers : resolve(cwd, directory), licenses };
}

function textOf(context: CliContext, { path, size, digest }: BuildResult, fingerprint: string | null): string {
  const signed = fingerprint === null ? 'not signed yet: airdock sign --key release.key' : `signed by ${fingerprint}`;
  return `${relative(context.cwd, path)}  ${bytesText(size)}  sha256 ${hexOf(digest)}\n${signed}\n`;
}

function documentOf({ path, size, digest, manifest, lock, blobs }: BuildResult, key: string | null): BuildDocument {
  const { product, version, platform: target, created: date, images } = manifest;
  return {
    schema: 'airdock.build/1',
    product,
    version,
    platform: target,
    created: date,
    path,
    size,
    digest,
    key,
    images,
    lock,
    blobs,
  };
}

/** reproducible-builds.org: SOURCE_DATE_EPOCH, whole seconds. */
function created(context: CliContext): Date {
  const epoch = context.env['SOURCE_DATE_EPOCH'];
  if (epoch === undefined || epoch === '') return context.now();
  const seconds = Number(epoch);
  // ustar has eleven octal digits for a time
  if (!/^\d+$/.test(epoch) || seconds >= 8 ** 11) {
    throw new AirdockError('USAGE', `SOURCE_DATE_EPOCH is ${JSON.stringify(epoch)}, not a number of seconds`, {
      hint: 'Set it to what git log -1 --format=%ct prints, or unset it.',
    });
  }
  return new Date(seconds * 1000);
}
