import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AirdockError } from '../errors.ts';
import { readIfExists, replaceFile } from './files.ts';
import type { Run } from './process.ts';

/** The part of systemd that airdock's own unit needs. */
export type Systemd = {
  /** Whether systemd runs here and this user may install units. */
  present(): boolean;
  /**
   * Writes a template unit and enables its instance for a directory; it takes effect at the next boot.
   * @returns the instance: `airdock-resume@opt-nodepad.service`
   * @throws AirdockError STEP_FAILED with the message of systemctl
   */
  enable(template: { name: string; text: string }, directory: string): Promise<string>;
};

/** @param root root of the file system; not `/` for an image or a test */
export function openSystemd(run: Run, root = '/'): Systemd {
  const must = async (command: string, args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(command, args);
    if (exitCode !== 0) throw new AirdockError('STEP_FAILED', `${command} failed: ${stderr.trim() || `exit code ${exitCode}`}`);
    return stdout.trim();
  };
  return {
    // sd_booted(3)
    present: () => process.geteuid?.() === 0 && existsSync(join(root, 'run/systemd/system')),
    async enable({ name, text }, directory) {
      const file = join(root, 'etc/systemd/system', name);
      if ((await readIfExists(file))?.toString() !== text) await replaceFile(file, text, { mode: 0o644 });
      const instance = await must('systemd-escape', ['--path', `--template=${name}`, directory]);
      await must('systemctl', [...(root === '/' ? [] : [`--root=${root}`]), 'enable', instance]);
      return instance;
    },
  };
}
