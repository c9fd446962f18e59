import { expect, test } from 'vitest';
import { compareCompose, mergeOverlays } from '../../../src/vm/adopt/compare.ts';
import { parseRaw, writeRaw } from '../../../src/vm/compose-files/raw-yaml.ts';

const release = `
x-app: &app
  image: shop/api:\${VERSION}
  environment: &env
    A: '1'
    PASSWORD: \${PASSWORD:?set it}
services:
  api:
    <<: *app
    environment:
      <<: *env
      WORKERS: \${WORKERS:-1}
    ports: ['80:80']
  worker:
    <<: *app
    command: worker
  db:
    image: postgres:15
    environment: [X=1, Y=2]
    volumes: [data:/data]
volumes:
  data:
  spare:
`;

function compare(operator: string) {
  const { overlay, edits } = compareCompose(parseRaw(operator, 'a'), parseRaw(release, 'b'));
  return { text: writeRaw(overlay, '').toString().trim(), edits };
}

test('the same file differs in nothing, whatever its layout', () => {
  expect(compare(release)).toMatchObject({ edits: [], text: '{}' });
  expect(
    compare(release.replace("ports: ['80:80']", 'ports:\n      - 80:80').replace('[X=1, Y=2]', '{Y: 2, X: "1"}')).edits,
  ).toEqual([]);
});

test('variables one by one, lists as a whole, nothing interpolated', () => {
  const operator = release
    .replace('${WORKERS:-1}', '8')
    .replace("'80:80'", "'8443:443', '127.0.0.1:81:80'")
    .replace("A: '1'", 'B: ${B}');
  const { text, edits } = compare(operator);
  expect(edits).toEqual([
    { path: 'api.environment.WORKERS', change: 'set', value: '8' },
    { path: 'api.environment.B', change: 'set', value: '${B}' },
    { path: 'api.environment.A', change: 'removed', value: null },
    { path: 'api.ports', change: 'set', value: '8443:443, 127.0.0.1:81:80' },
    { path: 'worker.environment.B', change: 'set', value: '${B}' },
    { path: 'worker.environment.A', change: 'removed', value: null },
  ]);
  expect(text).toContain('WORKERS: 8');
  expect(text).toContain('A: !reset null');
  expect(text).toContain('ports: !override');
  expect(text).not.toContain('PASSWORD');
});

test('services: dropped, added; volumes changed, never taken away', () => {
  const operator = `
services:
  api: { image: 'shop/api:\${VERSION}', environment: { A: '1', PASSWORD: '\${PASSWORD:?set it}', WORKERS: '\${WORKERS:-1}' }, ports: ['80:80'] }
  db: { image: postgres:15, environment: { Y: 2 }, volumes: ['data:/data'] }
  mail: { image: 'mail:1', environment: { TOKEN: abc } }
volumes:
  data: { external: true }
`;
  const { text, edits } = compare(operator);
  expect(edits.map(({ path, change }) => `${path} ${change}`)).toEqual([
    'db.environment.X removed',
    'mail set',
    'worker removed',
    'volumes.data set',
  ]);
  expect(parseRaw(text, 'c').entries.get('services')).toMatchObject({ kind: 'map' });
  expect(text).toContain('worker: !reset null');
  // measured: `!reset` of a variable does nothing to a list
  expect(text).toMatch(/environment: !override\n +Y: 2\n/);
  expect(text).not.toContain('spare');
});

test('what looks like a secret is kept and not shown', () => {
  const { text, edits } = compare(
    release
      .replace('${PASSWORD:?set it}', 'hunter2')
      .replace('image: postgres:15', 'image: postgres:15\n    command: [x, "url=http://u:pw@h"]'),
  );
  expect(JSON.stringify(edits)).not.toMatch(/hunter2|u:pw/);
  expect(text).toContain('hunter2');
});

test('scalars come out as they went in', () => {
  const odd = `services: {api: {a: 0644, b: "0644", c: yes, d: '1', e: ~, f: "~", g: "a\\nb", h: 1e3, i: "x: y", j: "\${A:-b c}"}}`;
  const again = writeRaw(parseRaw(odd, 'a'), '').toString();
  expect(again).toContain('a: 0644\n');
  expect(again).toContain('b: "0644"\n');
  expect(again).toContain('c: yes\n');
  expect(again).toContain('d: "1"\n');
  expect(again).toContain('e: null\n');
  expect(again).toContain('f: "~"\n');
  expect(again).toContain('g: "a\\nb"');
  expect(again).toContain('h: 1e3\n');
  expect(again).toContain('j: "${A:-b c}"');
});

test('two overlays: entries of the upper one take precedence', () => {
  const below = parseRaw('services: {api: {environment: {A: 1, B: 1}, ports: !override [1]}}', 'a');
  const above = parseRaw('services: {api: {environment: {A: 2}, ports: !reset null}, x: {image: x}}', 'b');
  expect(writeRaw(mergeOverlays(below, above), '').toString()).toBe(
    'services:\n  api:\n    environment:\n      A: 2\n      B: 1\n    ports: !reset null\n  x:\n    image: x\n',
  );
});

test('a file that is not a mapping, or nests without end, is refused', () => {
  expect(() => parseRaw('[a]', 'f')).toThrow(/f cannot be compared/);
  expect(() => parseRaw('a: &a [*a]', 'f')).toThrow(/nested/);
  expect(() => parseRaw('a: 1\na: 2', 'f')).toThrow(/cannot be compared/);
});
