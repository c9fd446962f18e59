// An image of nothing but busybox, for tests of the engine and of compose.
import { join } from 'node:path';
import { execa } from 'execa';
import type { Host } from './host.ts';

/** `tiny:1` on that host, with /bin/busybox and /tmp. @param directory where it is put together */
export async function tinyImage(host: Host, directory: string): Promise<void> {
  const root = join(directory, 'root');
  await execa`mkdir -p ${root}/bin ${root}/tmp`;
  await execa`cp /bin/busybox ${root}/bin/busybox`;
  await execa`tar -C ${root} -cf ${directory}/tiny.tar .`;
  await host.docker('import', join(directory, 'tiny.tar'), 'tiny:1');
}
