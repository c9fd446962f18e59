import { AirdockError, isAirdockError } from '../errors.ts';
import type { Run } from './process.ts';

export interface Helm {
  /** `v4.1.4`; undefined when there is no helm in PATH. */
  version(): Promise<string | undefined>;
  /** `helm template`, with hooks and tests. @throws AirdockError CHART_INVALID with the message of helm */
  template(
    release: string,
    chart: string,
    options?: { values?: readonly string[]; signal?: AbortSignal | undefined },
  ): Promise<string>;
}

/** Rendered manifests may be far larger than the output that `Run` keeps by default. */
const maxOutput = 64 << 20;

export function openHelm(run: Run): Helm {
  return {
    async version() {
      try {
        const answer = await run('helm', ['version', '--short']);
        return answer.exitCode === 0 ? answer.stdout.trim().split('+')[0] : undefined;
      } catch (error) {
        if (isAirdockError(error, 'PREFLIGHT_FAILED')) return undefined;
        throw error;
      }
    },
    async template(release, chart, { values = [], signal } = {}) {
      const files = values.flatMap((file) => ['--values', file]);
      const answer = await run('helm', ['template', release, chart, ...files], { maxOutput, signal });
      if (answer.exitCode === 0) return answer.stdout;
      const words = answer.stderr
        .trim()
        .replace(/^Error: /, '')
        .slice(-2000);
      throw new AirdockError(
        'CHART_INVALID',
        `helm template failed${values.length > 0 ? ` with ${values.join(', ')}` : ''}: ${words}`,
        {
          hint: /missing in charts/.test(words)
            ? `Run helm dependency build ${chart}, then build again.`
            : `To see it, run: helm template ${release} ${chart} ${files.join(' ')} --debug`,
        },
      );
    },
  };
}
