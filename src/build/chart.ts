import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, matchesGlob, relative, sep } from 'node:path';
import { create } from 'tar';
import { parseDocument } from 'yaml';
import { AirdockError, systemCode } from '../errors.ts';

/** A copy of a chart with the version of the release. The chart is rendered and packed from this copy. */
export type StagedChart = {
  name: string;
  /** The directory `NAME`, inside a temporary directory. */
  path: string;
  /** Sorted, relative to `path`. */
  files: string[];
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * Copies a chart, sets `version` and `appVersion`, and leaves out what `.helmignore` names, as `helm package` does.
 * @throws AirdockError CHART_INVALID, FILE_NOT_FOUND
 */
export async function stageChart(source: string, version: string, mtime: Date): Promise<StagedChart> {
  const chartFile = await readFile(join(source, 'Chart.yaml'), 'utf8').catch((error: unknown) => {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error;
    throw new AirdockError('CHART_INVALID', `there is no chart in ${source}: Chart.yaml is missing`, {
      hint: 'Correct chart.path in the configuration.',
      cause: error,
    });
  });
  const document = parseDocument(chartFile);
  const name: unknown = document.get('name');
  if (document.errors.length > 0 || typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]*$/.test(name)) {
    throw new AirdockError('CHART_INVALID', `${join(source, 'Chart.yaml')} has no valid chart name`, {
      hint: 'Run helm lint to see more.',
    });
  }
  document.set('version', version);
  document.set('appVersion', version);

  const root = await mkdtemp(join(tmpdir(), 'airdock-chart-'));
  const remove = () => rm(root, { recursive: true, force: true });
  try {
    const path = join(root, name);
    const files = (await filesOf(source)).filter(await notIgnored(source));
    for (const file of files) {
      const target = join(path, file);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, file === 'Chart.yaml' ? document.toString() : await readFile(join(source, file)));
      await chmod(target, 0o644);
      await utimes(target, mtime, mtime);
    }
    return { name, path, files, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The bytes of `NAME-VERSION.tgz`. Equal files give equal bytes: sorted, one mtime, no owner, no time in the gzip header. */
export async function packChart(chart: StagedChart): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const packed = create(
    { cwd: dirname(chart.path), gzip: { level: 9 }, portable: true },
    chart.files.map((file) => `${chart.name}/${file}`),
  );
  for await (const chunk of packed) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function filesOf(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && (await stat(path)).isFile()) found.push(relative(root, path).split(sep).join('/'));
  }
  return found.toSorted();
}

/** The ignore rules of helm that charts use: globs, `dir/`, `/rooted`, `!` for exceptions. */
async function notIgnored(root: string): Promise<(file: string) => boolean> {
  const text = await readFile(join(root, '.helmignore'), 'utf8').catch(() => '');
  const rules = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return (file) => {
    const parts = file.split('/');
    const ignored = rules.some((rule) => {
      const pattern = rule.replace(/^!/, '').replace(/^\//, '').replace(/\/$/, '');
      const rooted = rule.replace(/^!/, '').startsWith('/') || pattern.includes('/');
      const directoryOnly = rule.endsWith('/');
      const hit = parts.some((part, index) => {
        if (directoryOnly && index === parts.length - 1) return false;
        return matchesGlob(rooted ? parts.slice(0, index + 1).join('/') : part, pattern);
      });
      return hit && !rule.startsWith('!');
    });
    const excepted = rules.some((rule) => rule.startsWith('!') && matchesGlob(file, rule.slice(1).replace(/^\//, '')));
    return file === 'Chart.yaml' || !ignored || excepted;
  };
}
