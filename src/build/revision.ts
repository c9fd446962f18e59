import { isAirdockError } from '../errors.ts';
import type { Run } from '../io/process.ts';

/** The commit that is checked out in a directory; '' outside of a repository and without git. */
export async function gitRevision(run: Run, directory: string): Promise<string> {
  try {
    const answer = await run('git', ['-C', directory, 'rev-parse', '--verify', 'HEAD']);
    return answer.exitCode === 0 ? answer.stdout.trim() : '';
  } catch (error) {
    if (isAirdockError(error, 'PREFLIGHT_FAILED')) return '';
    throw error;
  }
}
