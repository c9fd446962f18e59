import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../src/io/process.ts';

const sh = (script: string, options?: Parameters<typeof run>[2]) => run('sh', ['-c', script], options);
afterEach(() => vi.unstubAllEnvs());

test('an exit code is a result', async () => {
  expect(await sh('echo out; echo err >&2; exit 3')).toEqual({ exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
});

test('a signal too', async () => {
  expect(await sh('kill -9 $$')).toMatchObject({ exitCode: -1, signalName: 'SIGKILL' });
});

test('a program that is not there is an error that names it', async () => {
  await expect(run('no-such-program', [])).rejects.toMatchObject({
    code: 'PREFLIGHT_FAILED',
    message: 'the program no-such-program is not installed',
  });
});

test('children get a clean environment: an exported VERSION would win over .env', async () => {
  vi.stubEnv('VERSION', '9');
  vi.stubEnv('COMPOSE_FILE', 'x');
  vi.stubEnv('DOCKER_DEFAULT_PLATFORM', 'linux/arm64');
  vi.stubEnv('DOCKER_CONFIG', '/c');
  const { stdout } = await run('env', [], { env: { KEY: 'value' } });
  expect(stdout).toMatch(/^PATH=/m);
  expect(stdout).toMatch(/^DOCKER_CONFIG=\/c$/m);
  expect(stdout).toMatch(/^KEY=value$/m);
  expect(stdout).not.toMatch(/^(VERSION|COMPOSE_FILE|DOCKER_DEFAULT_PLATFORM|VITEST)=/m);
});

test('children lead a process group of their own', async () => {
  const { stdout } = await sh('ps -o pgid= -p $$; echo $$');
  const [group, pid] = stdout.split('\n').map(Number);
  expect(group).toBe(pid);
});

describe('input', () => {
  test('is closed unless given', async () => {
    expect(await run('cat', [])).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await run('cat', [], { input: 'ignore' })).toMatchObject({ stdout: '' });
  });

  test('may be bytes or a stream', async () => {
    expect((await run('cat', [], { input: Buffer.from('bytes') })).stdout).toBe('bytes');
    expect((await run('cat', [], { input: Readable.from(['a', 'b'], { objectMode: false }) })).stdout).toBe('ab');
  });

  test('that nobody reads is no failure', async () => {
    expect(await run('true', [], { input: Buffer.alloc(2 ** 20) })).toMatchObject({ exitCode: 0 });
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
    });
    expect(await run('true', [], { input: endless })).toMatchObject({ exitCode: 0 });
    endless.destroy();
  });
});

describe('output', () => {
  test('as bytes into a stream, awaited', async () => {
    const sink = new PassThrough();
    const got = buffer(sink);
    const result = await sh(String.raw`printf '\377\000\n'; echo e >&2`, { onStdout: sink });
    expect(result).toMatchObject({ stdout: '', stderr: 'e\n' });
    expect(await got).toEqual(Buffer.from([0xff, 0, 10]));
  });

  test('a sink that fails ends the child and is the error', async () => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(new Error('disk full')) });
    await expect(run('yes', [], { onStdout: sink })).rejects.toThrow('disk full');
  });

  test('line by line, the last one without an end too', async () => {
    const lines: string[] = [];
    await sh(String.raw`printf 'a\nb\r\nc'`, { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['a', 'b', 'c']);
  });

  test('only its end is kept', async () => {
    expect((await sh('seq 1 100000', { maxOutput: 13 })).stdout).toBe('99999\n100000\n');
  });
});

describe('ending', () => {
  test('an abort ends the whole group, and is INTERRUPTED when all are gone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'airdock-process-'));
    const controller = new AbortController();
    const running = sh(`sleep 300 & echo $! >${directory}/pid; wait`, { signal: controller.signal });
    const pid = await vi.waitFor(async () => {
      const text = await readFile(join(directory, 'pid'), 'utf8');
      expect(text).toMatch(/^\d+\n$/);
      return Number(text);
    });
    controller.abort(new Error('^C'));
    await expect(running).rejects.toMatchObject({ code: 'INTERRUPTED', cause: new Error('^C') });
    // gone, or dead and not collected by its new parent
    const state = async () => /^State:\t(.)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX'))?.[1];
    await vi.waitFor(async () => expect(await state()).toMatch(/[XZ]/));
    await rm(directory, { recursive: true });
  });

  test('one that was aborted before never starts', async () => {
    await expect(sh('exit 0', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  test('a child that is out of time', async () => {
    expect(await run('sleep', ['300'], { timeoutMs: 50 })).toMatchObject({ timedOut: true, signalName: 'SIGTERM' });
  });
});
