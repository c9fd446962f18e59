import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { byTable } from '../bundle/agreement.ts';
import type { FileRecord } from '../bundle/manifest.ts';
import { digestOf } from '../digest.ts';
import { AirdockError, systemCode } from '../errors.ts';
import { parse } from 'yaml';
import type { Helm } from '../io/helm.ts';
import type { RequestedImage } from './requested-image.ts';
import { packChart, stageChart } from './chart.ts';
import { chartImages, mergeValues, type Rendered } from './chart-images.ts';
import { readCompose, type ComposeFile } from './compose.ts';
import { envDefaults } from './env-defaults.ts';
import type { LoadedConfig } from './load-config.ts';

/** The small files of a release, and the images that they name. */
export type ReleaseFiles = {
  compose: ComposeFile;
  chart:
    | {
        images: RequestedImage[];
        rendered: number;
        /** The version of helm; undefined without helm. */
        helm: string | undefined;
      }
    | undefined;
  files: ReadonlyMap<string, Buffer>;
  records: FileRecord[];
};

export type ReleaseOptions = { version: string; created: Date; helm: Helm; signal?: AbortSignal | undefined };

/** @throws AirdockError CONFIG_INVALID naming a file that is missing, COMPOSE_INVALID, CHART_INVALID, IMAGE_UNPINNED */
export async function readRelease(loaded: LoadedConfig, options: ReleaseOptions): Promise<ReleaseFiles> {
  const { config, directory } = loaded;
  const composePath = resolve(directory, config.compose);
  const beside = dirname(config.compose);
  const contents = new Map<FileRecord['role'], { path: string; bytes: Buffer }>();
  const add = async (role: FileRecord['role'], path: string, file: string, key: string): Promise<Buffer> => {
    const bytes = await required(resolve(directory, file), key, loaded.path);
    contents.set(role, { path, bytes });
    return bytes;
  };
  const compose = await add('compose', 'compose.yaml', config.compose, 'compose');
  const env = await add('env-template', 'env.template', config.env, 'env');
  await add('readme', 'README.md', join(beside, 'README.md'), 'the operator’s guide beside the compose file');
  let chart: ReleaseFiles['chart'];
  if (config.chart) {
    await add(
      'values-template',
      'values-template.yaml',
      join(beside, 'values-template.yaml'),
      'the values template beside the compose file',
    );
    const packed = await readChart(loaded, config.chart, options);
    contents.set('chart', packed.file);
    chart = packed.chart;
  }
  const records = [...contents].map(([role, { path, bytes }]) => ({ path, digest: digestOf(bytes), size: bytes.length, role }));
  const values = { ...envDefaults(env.toString('utf8')), VERSION: options.version };
  return {
    compose: readCompose(compose.toString('utf8'), relativeTo(directory, composePath), values),
    chart,
    files: new Map([...contents.values()].map(({ path, bytes }) => [path, bytes])),
    records: records.toSorted((a, b) => byTable(a.path, b.path)),
  };
}

async function readChart(
  { directory, path: configPath }: LoadedConfig,
  chart: { path: string; values: readonly string[] },
  { version, created, helm, signal }: ReleaseOptions,
): Promise<{ file: { path: string; bytes: Buffer }; chart: NonNullable<ReleaseFiles['chart']> }> {
  await using staged = await stageChart(resolve(directory, chart.path), version, created);
  const own = chart.values.map((file, index) => ({ file, path: resolve(directory, file), key: `chart.values[${index}]` }));
  const texts = await Promise.all(own.map(({ path, key }) => required(path, key, configPath)));
  const found = await helm.version();
  const rendered: Rendered[] = [];
  if (found !== undefined) {
    const defaults = await readFile(join(staged.path, 'values.yaml'), 'utf8').then(yaml, () => ({}));
    const runs = own.length > 0 ? own : [undefined];
    const one = async (run: (typeof runs)[number], text: string): Promise<Rendered> => ({
      manifests: await helm.template(staged.name, staged.path, { values: run ? [run.path] : [], signal }),
      values: mergeValues(defaults, yaml(text)),
      with: run ? `${chart.path} with ${run.file}` : chart.path,
    });
    rendered.push(...(await Promise.all(runs.map((run, index) => one(run, texts[index]?.toString('utf8') ?? '')))));
  }
  return {
    file: { path: `chart/${staged.name}-${version}.tgz`, bytes: await packChart(staged) },
    chart: { images: chartImages(rendered), rendered: rendered.length, helm: found },
  };
}

async function required(path: string, key: string, configPath: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
    throw new AirdockError('CONFIG_INVALID', `the file ${path} does not exist (${key} in ${configPath})`, {
      hint: 'Write the file, or correct the path in the configuration.',
      details: { path, key },
      cause: error,
    });
  }
}

function yaml(text: string): unknown {
  return parse(text, { merge: true }) ?? {};
}

function relativeTo(directory: string, path: string): string {
  return path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : path;
}
