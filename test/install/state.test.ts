import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openJournal } from '../../src/install/journal.ts';
import { takeLock } from '../../src/install/lock.ts';
import { hasState, openState } from '../../src/install/state.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'airdock-state-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const clock = (): Date => new Date('2026-11-23T02:14:00Z');

describe('the lock', () => {
  const lockUrl = new URL('../../src/install/lock.ts', import.meta.url).href;
  const holder = (): ReturnType<typeof spawn> =>
    spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { takeLock } from ${JSON.stringify(lockUrl)}; takeLock(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );

  test('a second process is refused while the first lives, and not when it was killed', async () => {
    const child = holder();
    await once(child.stdout!, 'data');
    expect(() => takeLock(folder)).toThrow(expect.objectContaining({ code: 'LOCKED', exitCode: 8 }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    takeLock(folder).release();
  });
  test('can be taken again once released', () => {
    takeLock(folder).release();
    expect(() => takeLock(folder).release()).not.toThrow();
  });
});

describe('the state', () => {
  test('is absent until it is opened for writing; only its owner can read it', async () => {
    expect(hasState(folder)).toBe(false);
    openState(folder).close();
    expect(hasState(folder)).toBe(true);
    const { statSync } = await import('node:fs');
    expect(statSync(path.join(folder, 'state.db')).mode & 0o777).toBe(0o600);
  });
  test('survives being closed; a commit is all or nothing', () => {
    const state = openState(folder);
    state.createDeployment({ product: 'notes', project: 'notes', endpoint: 'unix:///run/docker.sock' });
    expect(() =>
      state.commit(() => {
        state.updateDeployment({ current: '0.3.0', phase: 'trial' });
        throw new Error('power cut');
      }),
    ).toThrow('power cut');
    state.close();
    const again = openState(folder, { readOnly: true });
    expect(again.deployment()).toMatchObject({ product: 'notes', current: null, phase: 'none' });
    again.close();
  });
  test('of a newer airdock is refused with a word on which one to use', () => {
    openState(folder).close();
    const raw = new DatabaseSync(path.join(folder, 'state.db'));
    raw.exec('PRAGMA user_version = 99');
    raw.close();
    expect(() => openState(folder)).toThrow(expect.objectContaining({ code: 'STATE_TOO_NEW', exitCode: 5 }));
  });
});

describe('the journal', () => {
  test('knows the one open transaction, its steps in order, and its end', () => {
    const state = openState(folder);
    const journal = openJournal(state, clock);
    expect(journal.open()).toBeUndefined();
    const { id } = journal.begin({ kind: 'upgrade', from: '0.2.4', to: '0.3.0', class: 'expand', operator: 'root' });
    journal.record(id, 'import', 'intent');
    journal.record(id, 'import', 'done', { summary: '3 new blobs' });
    journal.record(id, 'switch', 'intent');
    expect(journal.open()).toMatchObject({ id, direction: 'forward', outcome: null, startedAt: '2026-11-23T02:14:00.000Z' });
    expect(journal.steps(id).map(({ step, state: at }) => `${step} ${at}`)).toEqual([
      'import intent',
      'import done',
      'switch intent',
    ]);
    expect(journal.has(id, 'switch', 'intent')).toBe(true);
    expect(journal.has(id, 'switch', 'done')).toBe(false);
    expect(() => journal.begin({ kind: 'upgrade', from: null, to: '1.0.0', class: 'none', operator: 'root' })).toThrow(
      'open already',
    );
    journal.turnToUndo(id, 'health');
    journal.turnToUndo(id, 'a later word does not hide the first');
    expect(journal.open()).toMatchObject({ direction: 'undo', error: 'health' });
    journal.end(id, 'rolled-back');
    expect(journal.open()).toBeUndefined();
    expect(journal.all()[0]).toMatchObject({ outcome: 'rolled-back', error: 'health' });
    state.close();
  });
});
