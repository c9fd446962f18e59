import path from 'node:path';
import { z } from 'zod';
import { version as versionSchema } from '../bundle/manifest.ts';
import { userInfo } from 'node:os';
import type { Host } from '../install/host.ts';
import type { Run } from '../io/process.ts';
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
    connect: io.connect,
    fetch,
    clock: context.now,
    program: {
      version: airdockVersion,
      executable: context.self.executable,
      ask: (executable) => askVersion(io.run, executable),
    },
    operator: context.env['SUDO_USER'] ?? userInfo().username,
    listener: context.listener,
    signal: context.signal,
  };
}

/** Of the document only what is asked for: another version's may have more. */
const versionAnswer = z.object({
  version: versionSchema,
  stateSchema: versionDocument.shape.stateSchema,
});

export async function askVersion(run: Run, executable: string): Promise<z.infer<typeof versionAnswer> | undefined> {
  try {
    const { stdout } = await run(executable, ['--version', '--json'], { timeoutMs: 30_000 });
    return versionAnswer.safeParse(JSON.parse(stdout)).data;
  } catch {
    return undefined; // it is not there, is not for this machine, or is no airdock
  }
}

export function directoryOf(context: CliContext, dir: string | undefined): string {
  return path.resolve(context.cwd, dir ?? '.');
}
