import type { Runtime } from './context.ts';
import { asksVersion, showVersion } from './version.ts';

/** One command line from its arguments to its exit code. Never throws. */
export async function run(args: readonly string[], runtime: Runtime): Promise<number> {
  // Before anything else is loaded: scripts ask it often.
  if (asksVersion(args)) return showVersion(args, runtime);
  const { runCommand } = await import('./command-line.ts');
  return runCommand(args, runtime);
}
