import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { getAsset, isSea } from 'node:sea';

/** The running program: an executable (docs/adr/0006), or the sources of a checkout. */
export type Self = {
  /** Commit of the sources; '' when it is not known. */
  readonly revision: string;
  /** A path at which the executable can be read even if it was renamed or replaced since it started; undefined in a checkout. */
  readonly executable: string | undefined;
  /** The directory with the executables for bundles, unless `--installers` names another. */
  readonly installers: string;
  /** Text of all licences; undefined in a checkout where no executable was built. */
  readonly licenses: () => string | undefined;
};

export function runningSelf(): Self {
  if (isSea()) {
    return {
      revision: (JSON.parse(getAsset('about.json', 'utf8')) as { revision: string }).revision,
      executable: '/proc/self/exe',
      installers: dirname(process.execPath),
      licenses: () => getAsset('licenses.txt', 'utf8'),
    };
  }
  const dist = join(import.meta.dirname, '../../dist');
  const file = join(dist, 'airdock-licenses.txt');
  return {
    revision: '',
    executable: undefined,
    installers: dist,
    licenses: () => (existsSync(file) ? readFileSync(file, 'utf8') : undefined),
  };
}
