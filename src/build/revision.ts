import { isAirdockError } from '../errors.ts';
import type { Run } from '../io/process.ts';

/** The commit that a directory is at; '' outside of git, and where there is no git. */
export async function gitRevision(run: Run, directory: string): Promise<string> {
  try {
    const answer = await run('git', ['-C', directory, 'rev-parse', '--verify', 'HEAD']);
    return answer.exitCode === 0 ? answer.stdout.trim() : '';
  } catch (error) {
    if (isAirdockError(error, 'PREFLIGHT_FAILED')) return '';
    throw error;
  }
}
