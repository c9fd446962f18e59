import { Command, Option } from 'commander';
import type { Act } from './context.ts';
import { airdockVersion } from './version.ts';

/** `commands/<name>.ts` exports this: arguments, options and the action. */
type CommandModule = { declare(command: Command, act: Act): void };

/**
 * To add a command: write `commands/<name>.ts` with `export function declare(command, act)`, and a line here. The module
 * is imported only when the command line names it, so it may import whatever its work needs.
 */
const commands: readonly (readonly [name: string, summary: string, load: () => Promise<CommandModule>])[] = [
  ['build', 'make the bundle of a release', () => import('./commands/build.ts')],
  ['keygen', 'make a signing key and its public key', () => import('./commands/keygen.ts')],
  ['sign', 'sign a bundle in place', () => import('./commands/sign.ts')],
  ['verify', 'check the signature and every byte of a bundle', () => import('./commands/verify.ts')],
  ['inspect', 'show what a bundle carries', () => import('./commands/inspect.ts')],
  ['plan', 'show what an install would do', () => import('./commands/plan.ts')],
  ['install', 'install a release, or upgrade to it', () => import('./commands/install.ts')],
  ['adopt', 'take over a deployment that was made by hand', () => import('./commands/adopt.ts')],
  ['status', 'show what runs and what differs', () => import('./commands/status.ts')],
  ['history', 'show what was done', () => import('./commands/history.ts')],
  ['rollback', 'go back to a kept release', () => import('./commands/rollback.ts')],
  ['backup', 'make, verify and restore backups of the database', () => import('./commands/backup.ts')],
  ['trust', 'show and change the trusted keys', () => import('./commands/trust.ts')],
  ['resume', 'finish or undo what was interrupted', () => import('./commands/resume.ts')],
  ['push', 'put the images and the chart of a bundle into a registry', () => import('./commands/push.ts')],
  ['helm', 'upgrade, roll back and look at a release on Kubernetes', () => import('./commands/helm.ts')],
  ['support-bundle', 'write one file for the vendor, without secrets', () => import('./commands/support-bundle.ts')],
  ['licenses', 'show the licences of everything in this program', () => import('./commands/licenses.ts')],
];

/** A fresh program for one command line; `act` runs the bodies of its commands. */
export async function createProgram(args: readonly string[], act: Act): Promise<Command> {
  const program = new Command('airdock')
    .description('Carries a container application across an air gap and keeps it alive on the other side.')
    .addOption(new Option('--json', 'one JSON document on stdout, progress as NDJSON on stderr'))
    .addOption(new Option('--debug', 'show the stack of an error'))
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('Run the command with --help to see how to use it.')
    // Subcommands inherit this only when it is set before they are made.
    .exitOverride();
  // `build --version X` names the release, so the program has a `--version` only without a command; run.ts answers it.
  if (!commands.some(([name]) => args.includes(name))) program.version(airdockVersion);
  for (const [name, summary, load] of commands) {
    const command = program.command(name).summary(summary).description(summary);
    if (args.includes(name)) (await load()).declare(command, act);
  }
  return program;
}
