import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { devFolder } from '../helpers/dev-folder.ts';

/** What NodePad's chart makes, against the schemas that Kubernetes publishes for each kind. */

const root = join(import.meta.dirname, '../..');
const chart = join(root, 'templates/chart');
type Validated = new (data: object) => { validate(): void };
type Made = { apiVersion: string; kind: string; metadata: { name: string; labels?: Record<string, string> }; spec?: object };

/** `apps/v1`, `v1` */
async function schemaOf({ apiVersion, kind }: Made): Promise<Validated> {
  const classes = (await import(/* @vite-ignore */ `kubernetes-models/${apiVersion}`)) as Record<string, Validated>;
  const found = classes[kind];
  if (!found) throw new Error(`Kubernetes has no ${kind} in ${apiVersion}`);
  return found;
}

async function render(helm: string, ...flags: string[]): Promise<Made[]> {
  const { stdout } = await execa(join(devFolder('helm'), helm, 'helm'), ['template', 'nodepad', chart, '-n', 'prod', ...flags]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Made);
}
const values = (name: string): string[] => ['--values', join(root, 'templates', name)];
const variants: Record<string, string[]> = {
  'the chart’s own values': [],
  'the template': values('values-template.yaml'),
  bundled: values('chart/values/bundled.yaml'),
  external: values('chart/values/external.yaml'),
};
const cases = ['4', '3'].flatMap((helm) => Object.keys(variants).map((name) => [helm, name] as const));

test.each(cases)('helm %s, %s: every object is one that Kubernetes takes', async (helm, name) => {
  const made = await render(helm, ...(variants[name] ?? []));
  expect(made.length).toBeGreaterThan(5);
  for (const object of made) {
    const Schema = await schemaOf(object);
    expect(() => new Schema(object).validate(), `${object.kind} ${object.metadata.name}`).not.toThrow();
  }
});

test('a schema does find what is wrong', async () => {
  const [first] = (await render('4')).filter(({ kind }) => kind === 'Deployment');
  const Schema = await schemaOf(first!);
  expect(() => new Schema({ ...first, spec: { ...first?.spec, replicas: 'two' } }).validate()).toThrow(/replicas/);
});

describe('the pods', () => {
  type Container = { name: string; resources?: { requests?: object }; securityContext?: Record<string, unknown> };
  type Pod = { containers: Container[]; securityContext?: { runAsNonRoot?: boolean }; automountServiceAccountToken?: boolean };
  const podsOf = async (): Promise<[string, Pod][]> =>
    (await render('4', ...values('chart/values/bundled.yaml'))).flatMap(({ kind, metadata, spec }) => {
      const { template } = (spec ?? {}) as { template?: { spec: Pod } };
      return template ? [[`${kind} ${metadata.name}`, template.spec]] : [];
    });

  test('ask for what they need, gain nothing, write nowhere but where they say', async () => {
    for (const [name, { containers, automountServiceAccountToken }] of await podsOf()) {
      expect(automountServiceAccountToken, name).toBe(false);
      for (const { resources, securityContext } of containers) {
        expect(resources?.requests, name).toBeDefined();
        expect(securityContext, name).toMatchObject({ allowPrivilegeEscalation: false });
      }
    }
  });

  test('all but those whose image becomes another user by itself are no root, and have a file system that is read only', async () => {
    for (const [name, { containers, securityContext }] of await podsOf()) {
      if (/postgresql$|redis$/.test(name)) continue;
      expect(securityContext?.runAsNonRoot, name).toBe(true);
      for (const container of containers) expect(container.securityContext, name).toMatchObject({ readOnlyRootFilesystem: true });
    }
  });
});

test('every workload says which compose service it is: airdock knows writers and the database by it', async () => {
  const config = await readFile(join(root, 'bundle.config.ts'), 'utf8');
  const made = await render('4', ...values('chart/values/bundled.yaml'));
  const services = made
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map(({ metadata }) => metadata.labels?.['airdock.dev/service']);
  expect(new Set(services)).toEqual(new Set(['api', 'beat', 'db', 'frontend', 'redis', 'worker']));
  for (const service of ['api', 'worker', 'beat', 'db']) expect(config).toContain(`'${service}'`);
  const jobs = made.filter(({ metadata }) => metadata.labels?.['airdock.dev/migration'] === 'true');
  expect(jobs.map(({ kind }) => kind)).toEqual(['Job']);
});
