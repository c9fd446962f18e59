import type { Command } from 'commander';
import { arch } from 'node:os';
import { platformOf, type Platform } from '../../bundle/manifest.ts';
import { verifyBundle, type VerifyReport } from '../../bundle/verify.ts';
import { fileDigest, type Digest } from '../../digest.ts';
import { AirdockError, exitCodes } from '../../errors.ts';
import { asStep } from '../../events.ts';
import type { Act, CliContext } from '../context.ts';
import type { VerifyDocument } from '../documents/verify.ts';
import { addTrustOption, at, authorizeFrom, type TrustOptions } from '../trust.ts';

type Options = TrustOptions & { full?: true; self?: true };

export function declare(command: Command, act: Act): void {
  addTrustOption(command.argument('<bundle>'))
    .description('Checks the signature, the format and every byte of a bundle, and lists what a slim bundle leaves out.')
    .option('--full', 'fail when anything of the release is left out')
    .option('--self', 'also check that this program is the one that the bundle carries')
    .action(act(verify));
}

async function verify(context: CliContext, bundle: string, options: Options): Promise<number | undefined> {
  const authorize = await authorizeFrom(context, options);
  const executable = options.self ? await ownExecutable(context) : undefined;
  const { report } = await asStep(context.listener, 'verify', async (onProgress) => {
    const { signal } = context;
    const checked = await verifyBundle(at(context, bundle), {
      authorize,
      full: options.full,
      executable,
      signal,
      onProgress,
    });
    return { report: checked, ok: checked.ok, summary: checked.ok ? `signed by ${checked.key}` : 'refused' };
  });
  const document: VerifyDocument = {
    schema: 'airdock.verify/1',
    ...report,
    leftOut: [...report.leftOut],
    findings: [...report.findings],
  };
  context.result(document, textOf(report));
  return report.ok ? undefined : exitCodes[report.findings[0]?.code ?? 'INTERNAL'];
}

async function ownExecutable({ self }: CliContext): Promise<{ digest: Digest; platform: Platform | undefined }> {
  if (self.executable !== undefined) return { digest: await fileDigest(self.executable), platform: platformOf(arch()) };
  throw new AirdockError('USAGE', 'airdock runs from a checkout here: there is no executable to compare', {
    hint: 'Run the executable itself: ./airdock verify --self FILE.',
  });
}

function textOf({ ok, product, version, key, leftOut, findings, executable }: VerifyReport): string {
  const lines = ok ? [`${product} ${version} is complete and signed by ${key}.`] : ['This bundle must not be used:'];
  if (ok && executable !== undefined) lines.push(`This program is the one that it carries: ${executable}`);
  for (const { code, text } of findings) lines.push(`  ${code}  ${text}`);
  if (leftOut.length > 0)
    lines.push(`Left out, so the target must have them already (${leftOut.length}):`, ...leftOut.map((name) => `  ${name}`));
  if (!ok) lines.push('Next: Get the bundle again, and compare the fingerprint of the key with the vendor.');
  return `${lines.join('\n')}\n`;
}
