import packageJson from '../../package.json' with { type: 'json' };
import { migrations } from '../vm/state/schema.ts';
import type { Runtime } from './context.ts';
import type { VersionDocument } from './documents/version.ts';
import { ownDigest } from './own-digest.ts';

export const airdockVersion: string = packageJson.version;

/** `airdock --version`, with or without `--json`; `build --version X` is something else. */
export function asksVersion(args: readonly string[]): boolean {
  const [first] = args.filter((argument) => argument !== '--json' && argument !== '--debug');
  return first === '--version' || first === '-V';
}

export async function showVersion(args: readonly string[], runtime: Pick<Runtime, 'stdout' | 'env' | 'self'>): Promise<number> {
  const { revision, executable } = runtime.self;
  const document: VersionDocument = {
    schema: 'airdock.version/1',
    version: airdockVersion,
    revision,
    node: process.versions.node,
    executable: executable === undefined ? null : await ownDigest(executable, runtime),
    stateSchema: migrations.length,
  };
  runtime.stdout.write(args.includes('--json') ? `${JSON.stringify(document, undefined, 2)}\n` : textOf(document));
  return 0;
}

function textOf({ version, revision, node, executable }: VersionDocument): string {
  return [
    `airdock ${version}`,
    `  revision    ${revision || 'unknown'}`,
    `  node        ${node}`,
    `  executable  ${executable ?? 'none: it runs from a checkout'}`,
    '',
  ].join('\n');
}
