import path from 'node:path';
import { userInfo } from 'node:os';
import type { Host } from '../install/host.ts';
import type { Run } from '../io/process.ts';
import type { CliContext } from './context.ts';
import { versionDocument, type VersionDocument } from './documents/version.ts';
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

export async function askVersion(run: Run, executable: string): Promise<VersionDocument | undefined> {
  try {
    const { stdout } = await run(executable, ['--version', '--json'], { timeoutMs: 30_000 });
    return versionDocument.safeParse(JSON.parse(stdout)).data;
  } catch {
    return undefined; // it is not there, is not for this machine, or is no airdock
  }
}

export function directoryOf(context: CliContext, dir: string | undefined): string {
  return path.resolve(context.cwd, dir ?? '.');
}
