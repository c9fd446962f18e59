import { expect, test } from 'vitest';
import { missingSecrets } from '../../../src/kubernetes/plan/needed-secrets.ts';
import { chartObjects } from '../../../src/kubernetes/pods/workloads.ts';
import type { Kubectl } from '../../../src/io/kubectl.ts';

const chart = (env: string, more = '') => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop-api, labels: { airdock.dev/service: api } }
spec:
  template:
    spec:
      containers:
        - name: api
          image: example/shop:1
          ${env}
${more}`;
const key = (name: string, secret: string, more = '') =>
  `env: [{ name: A, valueFrom: { secretKeyRef: { name: ${secret}, key: ${name}${more} } } }]`;

/** A cluster with these Secrets. */
function kubectl(secrets: Record<string, readonly string[]>): Pick<Kubectl, 'get'> {
  const get = async (_kind: string, name: string) => {
    const keys = secrets[name];
    return keys && { kind: 'Secret', metadata: { name }, data: Object.fromEntries(keys.map((one) => [one, 'eA=='])) };
  };
  return { get: get as Kubectl['get'] };
}
const missing = (rendered: string, secrets: Record<string, readonly string[]>) =>
  missingSecrets(kubectl(secrets), rendered, chartObjects(rendered));

test.each([
  ['a Secret that is not there', chart(key('PASSWORD', 'shop')), {}, ['Secret shop']],
  ['one that lacks the key', chart(key('PASSWORD', 'shop')), { shop: ['USER'] }, ['the key PASSWORD of Secret shop']],
  ['one that has it', chart(key('PASSWORD', 'shop')), { shop: ['PASSWORD'] }, []],
  ['one that need not be there', chart(key('PASSWORD', 'shop', ', optional: true')), {}, []],
  ['the whole of one', chart('envFrom: [{ secretRef: { name: all } }]'), {}, ['Secret all']],
  [
    'a volume',
    chart('tty: false', '      volumes: [{ name: tls, secret: { secretName: tls } }, { name: x, emptyDir: {} }]'),
    {},
    ['Secret tls'],
  ],
  ['the chart makes it', chart(key('PASSWORD', 'shop'), '---\napiVersion: v1\nkind: Secret\nmetadata: { name: shop }\n'), {}, []],
  [
    'an operator makes it, of a custom resource of the chart',
    chart(
      key('PASSWORD', 'shop'),
      '---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: { name: x }\nspec: { target: { name: shop } }\n',
    ),
    {},
    [],
  ],
  [
    'an Ingress names a Secret, and makes none',
    chart(
      key('PASSWORD', 'shop'),
      '---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: shop }\nspec: { tls: [{ secretName: shop }] }\n',
    ),
    {},
    ['Secret shop'],
  ],
])('%s', async (_what, rendered, secrets, expected) => {
  expect(await missing(rendered, secrets)).toEqual(expected);
});
