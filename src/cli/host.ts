import path from 'node:path';
import { z } from 'zod';
import { version as versionSchema } from '../bundle/manifest.ts';
import { userInfo } from 'node:os';
import type { Host } from '../vm/site/host.ts';
import { AirdockError, systemCode } from '../errors.ts';
import type { Run, RunResult } from '../io/process.ts';
import type { CliContext } from './context.ts';
import { versionDocument } from './documents/version.ts';
import { airdockVersion } from './version.ts';

/** The outside world of the VM commands, for one command line. */
export async function hostOf(context: CliContext): Promise<Host> {
  const io = await context.io();
  return {
    resolveEndpoint: () => io.resolveEndpoint(context.env, io.run),
    openDocker: io.openDocker,
    openCompose: (options) => io.openCompose({ ...options, run: io.run }),
    openToolbox: (options) => io.openToolbox({ ...options, run: io.run }),
    systemd: io.openSystemd(io.run),
    connect: io.connect,
    fetch,
    clock: context.now,
    program: {
      version: airdockVersion,
      executable: context.self.executable,
      versionsOf: (executable) => askVersion(io.run, executable),
    },
    operator: context.env['SUDO_USER'] ?? userInfo().username,
    listener: context.listener,
    signal: context.signal,
  };
}

/** The members that are needed; the document of another version may have more. */
const versionAnswer = z.object({
  version: versionSchema,
  stateSchema: versionDocument.shape.stateSchema,
});

/**
 * Asks an executable of airdock for its version.
 * @returns undefined when the file is of no use here: it does not exist, is for another platform, or is not airdock
 * @throws AirdockError PREFLIGHT_FAILED when the executable did not answer
 */
export async function askVersion(
  run: Run,
  executable: string,
  timeoutMs = 30_000,
): Promise<z.infer<typeof versionAnswer> | undefined> {
  let answer: RunResult;
  try {
    answer = await run(executable, ['--version', '--json'], { timeoutMs });
  } catch (error) {
    const why = systemCode(error instanceof Error ? error.cause : undefined) ?? '';
    if (['ENOENT', 'ENOEXEC', 'EACCES'].includes(why)) return undefined;
    throw unanswered(executable, `could not be started${why && ` (${why})`}`, error);
  }
  if (answer.timedOut) throw unanswered(executable, `did not answer within ${timeoutMs / 1000} s`);
  try {
    return versionAnswer.safeParse(JSON.parse(answer.stdout)).data;
  } catch {
    return undefined;
  }
}

/** An executable that does not answer may be the newer one that wrote the records, so it is neither replaced nor ignored. */
function unanswered(executable: string, what: string, cause?: unknown): AirdockError {
  return new AirdockError('PREFLIGHT_FAILED', `${executable} --version ${what}`, {
    hint: `Run it by hand. When the machine was only busy, run the same command again; when it is broken, remove it first: rm ${executable}`,
    cause,
  });
}

export function directoryOf(context: CliContext, dir: string | undefined): string {
  return path.resolve(context.cwd, dir ?? '.');
}
