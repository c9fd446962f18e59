// The stand-in for a cluster says no to what the recording does not have: else its tests could not fail.
import { readFile } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './bundle.ts';
import { readRecording, writeRecording } from './recording-file.ts';
import { changes, Replay, Words, type Asked, type Call } from './recording.ts';

const words = new Words({ registry: '127.0.0.1:5000', folder: '/run/x' });
const call = (scene: number, line: string, stdout = '', more: Partial<Call> = {}): Call => {
  const [tool, ...args] = line.split(' ');
  return { scene, tool: tool as Call['tool'], args, input: '', exitCode: 0, stdout, stderr: '', ...more };
};
const asked = (line: string, input = ''): Asked => {
  const [tool, ...args] = line.split(' ');
  return { tool: tool as Asked['tool'], args, input: Buffer.from(input) };
};
const replay = (...calls: Call[]): Replay => {
  const one = new Replay(calls, words);
  one.nextScene();
  return one;
};
const said = (one: Replay, line: string, input?: string): string => one.answer(asked(line, input)).stdout.toString();

test('what is asked as it was is answered as it was, in this run’s words', () => {
  const one = replay(call(1, 'helm template <folder>/values.yaml', 'image: <registry>/api', { stderr: '<folder>', exitCode: 3 }));
  const answer = one.answer(asked('helm template /run/x/values.yaml'));
  expect([answer.stdout.toString(), answer.stderr.toString(), answer.exitCode]).toEqual([
    'image: 127.0.0.1:5000/api',
    '/run/x',
    3,
  ]);
  one.finish();
});

describe('what does not fit', () => {
  const flow = [
    call(1, 'kubectl get pods', '[]'),
    call(1, 'kubectl scale a'),
    call(1, 'kubectl get pods', '[1]'),
    call(1, 'helm upgrade a'),
  ];

  test('a call that nobody recorded fails, and is told', () => {
    const one = replay(...flow);
    expect(one.answer(asked('kubectl get secrets'))).toMatchObject({ exitCode: 97 });
    expect(() => one.finish()).toThrow('kubectl get secrets');
  });

  test('another input than was recorded', () => {
    const one = replay(call(1, 'kubectl create', '', { input: '{"replicas":0}' }));
    expect(one.answer(asked('kubectl create', '{"replicas":1}')).exitCode).toBe(97);
  });

  test('a change before its time', () => {
    const one = replay(...flow);
    expect(one.answer(asked('helm upgrade a')).exitCode).toBe(97);
    expect(one.problems).toEqual(['asked: helm upgrade a\nwhere the recording has: kubectl scale a']);
  });

  test('a change twice', () => {
    const one = replay(...flow);
    expect(one.answer(asked('kubectl get pods')).exitCode).toBe(0);
    expect(one.answer(asked('kubectl scale a')).exitCode).toBe(0);
    expect(one.answer(asked('kubectl scale a')).exitCode).toBe(97);
  });

  test('a change that never comes, a look that nobody takes', () => {
    const one = replay(...flow);
    said(one, 'kubectl scale a');
    expect(() => one.finish()).toThrow(
      'never asked: kubectl get pods\nnever asked: kubectl get pods\nnever asked: helm upgrade a',
    );
  });

  test('what belongs to the scene before, or to a later one', () => {
    const one = replay(call(1, 'kubectl get a'), call(2, 'kubectl get b'));
    expect(one.answer(asked('kubectl get b')).exitCode).toBe(97);
    one.nextScene();
    expect(one.problems).toHaveLength(2);
    expect(one.answer(asked('kubectl get a')).exitCode).toBe(97);
  });
});

test('who looks again sees what was seen again, and then the last of it; after a change what was seen then', () => {
  const looks = ['1', '2'].map((text) => call(1, 'kubectl get a', text));
  const one = replay(...looks, call(1, 'kubectl scale a'), call(1, 'kubectl get a', '3'));
  expect([said(one, 'kubectl get a'), said(one, 'kubectl get a'), said(one, 'kubectl get a')]).toEqual(['1', '2', '2']);
  said(one, 'kubectl scale a');
  expect(said(one, 'kubectl get a')).toBe('3');
  one.finish();
});

test('a session is answered while its input goes on, and must end as it did', () => {
  const session = () =>
    replay(call(1, 'kubectl exec', '"id"', { input: 'BEGIN;\nCOMMIT;\n', early: 7 }), call(1, 'kubectl scale a'));
  const one = session();
  expect(one.answerBefore(asked('kubectl exec', 'BEG'))).toBeUndefined();
  const open = one.answerBefore(asked('kubectl exec', 'BEGIN;\n'));
  expect(open?.stdout.toString()).toBe('"id"');
  said(one, 'kubectl scale a');
  open?.end(asked('kubectl exec', 'BEGIN;\nCOMMIT;\n'));
  one.finish();
  const other = session();
  other.answerBefore(asked('kubectl exec', 'BEGIN;\n'))?.end(asked('kubectl exec', 'BEGIN;\nROLLBACK;\n'));
  expect(other.problems).toEqual([expect.stringContaining('ROLLBACK')]);
});

test('times, random passwords, digests and folders of a run are no difference; all else is', () => {
  const key = (text: string): string => words.asked(asked('kubectl create', text)).input;
  const random = 'ab'.repeat(24);
  expect(key(`{"at":"2026-11-27T02:14:00Z","password":"${random}","id":"nodepad-20261127-021400"}`)).toBe(
    '{"at":"<time>","password":"<random>","id":"nodepad-<time>"}',
  );
  expect(key('a')).not.toBe(key('b'));
});

test('airdock’s own record is given back as this run wrote it', () => {
  const record = (name: string): string =>
    gzipSync(JSON.stringify({ product: name, trust: [{ role: 'root', pem: name }], transactions: [] })).toString('base64');
  const secret = (data: string): string => JSON.stringify({ type: 'airdock.dev/record', data: { record: data } });
  const written = words.asked(asked('kubectl replace', secret(record('theirs'))));
  const one = replay(
    { ...call(1, 'kubectl replace', secret(record('theirs'))), input: written.input },
    call(1, 'kubectl get secret', secret(record('theirs'))),
  );
  const ours = gzipSync(JSON.stringify({ product: 'theirs', trust: [{ role: 'root', pem: 'ours' }], transactions: [] }));
  expect(one.answer(asked('kubectl replace', secret(ours.toString('base64')))).exitCode).toBe(0);
  const back = JSON.parse(said(one, 'kubectl get secret')) as { data: { record: string } };
  expect(JSON.parse(gunzipSync(Buffer.from(back.data.record, 'base64')).toString())).toMatchObject({ trust: [{ pem: 'ours' }] });
});

test.each([
  ['kubectl -n a get pods', '', false],
  ['kubectl --namespace a --context b scale deployment/x --replicas=0', '', true],
  ['kubectl apply --server-side --dry-run=server -f -', '{}', false],
  ['helm history a', '', false],
  ['helm upgrade --install a', '', true],
  ['kubectl exec db -- psql -f -', 'SELECT 1;', false],
  ['kubectl exec db -- psql -f -', 'BEGIN;\n     ALTER DATABASE a;', true],
  ['kubectl exec db -- psql -f -', "SELECT 'CREATE of a';", false],
  ['kubectl exec db -- pg_restore -d a', '', true],
  ['kubectl exec db -- pg_dump a', '', false],
])('%s with %j: a change? %j', (line, input, expected) => {
  expect(changes({ args: line.split(' ').slice(1), input })).toBe(expected);
});

test('a file has each answer once, JSON without blanks, and of a loop its first and last', async () => {
  await using folder = await temporaryFolder();
  const file = folder.file('a.jsonl');
  const long = JSON.stringify({ text: 'x'.repeat(200) }, undefined, 2);
  const loop = ['a', 'b', 'c', 'd'].map((text) => call(1, 'kubectl get pod', text));
  await writeRecording(file, [call(1, 'kubectl get b', long), ...loop, call(1, 'kubectl get c', long), call(2, 'kubectl get c')]);
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  expect(lines).toHaveLength(5);
  expect(lines[3]).toContain('"stdout":{"line":0}');
  const read = await readRecording(file);
  expect(read.map(({ stdout }) => stdout.slice(0, 10))).toEqual(['{"text":"x', 'a', 'd', '{"text":"x', '']);
});

test('of polls that take turns only what is new is kept, up to the next change; a session is never left out', async () => {
  await using folder = await temporaryFolder();
  const file = folder.file('a.jsonl');
  const round = (text: string) => ['a', 'b'].map((name) => call(1, `kubectl get pod ${name}`, text));
  const session = () => call(1, 'kubectl exec db', 'x', { input: 'SELECT 1', early: 8 });
  const calls = [...round('0'), ...round('0'), ...round('1'), ...round('1'), call(1, 'kubectl scale a'), ...round('1')];
  await writeRecording(file, [...calls, session(), call(1, 'kubectl get c'), session()]);
  const read = await readRecording(file);
  expect(read.map(({ args, stdout }) => `${args.slice(1).join(' ')} ${stdout}`)).toEqual([
    'pod a 0',
    'pod b 0',
    'pod a 1',
    'pod b 1',
    'a ',
    'pod a 1',
    'pod b 1',
    'db x',
    'c ',
    'db x',
  ]);
});
