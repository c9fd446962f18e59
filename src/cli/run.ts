import type { Runtime } from './context.ts';
import { asksVersion, showVersion } from './version.ts';

/**
 * One command line from its arguments to its exit code. Never throws.
 * @param start what `--version` needs: it is answered before anything else is loaded, because scripts ask often
 */
export async function run<Start extends Pick<Runtime, 'stdout' | 'env' | 'self'>>(
  args: readonly string[],
  start: Start,
  complete: (start: Start) => Promise<Runtime>,
): Promise<number> {
  if (asksVersion(args)) return showVersion(args, start);
  const { runCommand } = await import('./command-line.ts');
  return runCommand(args, await complete(start));
}
