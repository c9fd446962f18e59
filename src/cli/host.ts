import path from 'node:path';
import { userInfo } from 'node:os';
import type { Host } from '../install/host.ts';
import type { CliContext } from './context.ts';

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
    operator: context.env['SUDO_USER'] ?? userInfo().username,
    listener: context.listener,
    signal: context.signal,
  };
}

export function directoryOf(context: CliContext, dir: string | undefined): string {
  return path.resolve(context.cwd, dir ?? '.');
}
