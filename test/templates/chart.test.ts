import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chartValues, helmTemplate, objectsIn, schemaOf, type Made } from '../helpers/chart.ts';

/** What NodePad's chart makes, against the schemas that Kubernetes publishes for each kind. */

const root = join(import.meta.dirname, '../..');
const render = async (helm: '3' | '4', flags: readonly string[] = []): Promise<Made[]> =>
  objectsIn(await helmTemplate(helm, flags));
const cases = (['4', '3'] as const).flatMap((helm) =>
  Object.entries(chartValues).map(([name, flags]) => [helm, name, flags] as const),
);

test.each(cases)('helm %s, %s: every object is one that Kubernetes takes', async (helm, _name, flags) => {
  const made = await render(helm, flags);
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
    (await render('4', chartValues.bundled)).flatMap(({ kind, metadata, spec }) => {
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
  const made = await render('4', chartValues.bundled);
  const services = made
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map(({ metadata }) => metadata.labels?.['airdock.dev/service']);
  expect(new Set(services)).toEqual(new Set(['api', 'beat', 'db', 'frontend', 'redis', 'worker']));
  for (const service of ['api', 'worker', 'beat', 'db']) expect(config).toContain(`'${service}'`);
  const jobs = made.filter(({ metadata }) => metadata.labels?.['airdock.dev/migration'] === 'true');
  expect(jobs.map(({ kind }) => kind)).toEqual(['Job']);
});
