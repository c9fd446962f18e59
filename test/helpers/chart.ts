import { join } from 'node:path';
import { execa } from 'execa';
import { parseAllDocuments } from 'yaml';
import { devFolder } from './dev-folder.ts';

/** NodePad's chart, rendered by the real helm. */

const templates = join(import.meta.dirname, '../../templates');
const values = (name: string): string[] => ['--values', join(templates, name)];
/** helm's flags for each set of values that the repository has. */
export const chartValues = {
  'the chart’s own values': [],
  'the template': values('values-template.yaml'),
  bundled: values('chart/values/bundled.yaml'),
  external: values('chart/values/external.yaml'),
};

export type Made = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec?: object;
};

export async function helmTemplate(helm: '3' | '4', flags: readonly string[], release = 'nodepad'): Promise<string> {
  const chart = join(templates, 'chart');
  const { stdout } = await execa(join(devFolder('helm'), helm, 'helm'), ['template', release, chart, '-n', 'prod', ...flags]);
  return stdout;
}

export function objectsIn(manifests: string): Made[] {
  return parseAllDocuments(manifests).map((document) => document.toJS() as Made);
}

export type Validated = new (data: object) => { validate(): void };

/** The schema that Kubernetes publishes for `apps/v1`, `v1`, … */
export async function schemaOf({ apiVersion = '', kind }: { apiVersion?: string; kind: string }): Promise<Validated> {
  const classes = (await import(/* @vite-ignore */ `kubernetes-models/${apiVersion}`)) as Record<string, Validated>;
  const found = classes[kind];
  if (!found) throw new Error(`Kubernetes has no ${kind} in ${apiVersion}`);
  return found;
}
