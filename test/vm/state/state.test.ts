import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { historyDocument, readHistory } from '../../../src/vm/commands/history.ts';
import type { Host } from '../../../src/vm/site/host.ts';
import { openDocker } from '../../../src/io/docker.ts';
import { openJournal } from '../../../src/vm/state/journal.ts';
import { takeLock } from '../../../src/vm/state/lock.ts';
import { planDocument } from '../../../src/vm/plan/document.ts';
import { migrations } from '../../../src/vm/state/schema.ts';
import { openStore } from '../../../src/vm/store/store.ts';
import { readStoredRelease } from '../../../src/vm/store/release.ts';
import { hasState, openState, readState, stateSchema } from '../../../src/vm/state/open-state.ts';
import type { State } from '../../../src/vm/state/state.ts';

const frozen = path.join(import.meta.dirname, '../../fixtures/state');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'airdock-state-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const clock = (): Date => new Date('2026-11-23T02:14:00Z');

describe('the lock', () => {
  const lockUrl = new URL('../../../src/vm/state/lock.ts', import.meta.url).href;
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
    openState(folder, '1.2.3').close();
    expect(hasState(folder)).toBe(true);
    const { statSync } = await import('node:fs');
    expect(statSync(path.join(folder, 'state.db')).mode & 0o777).toBe(0o600);
  });
  test('survives being closed; a commit is all or nothing', () => {
    const state = openState(folder, '1.2.3');
    state.createDeployment({ product: 'notes', project: 'notes', endpoint: 'unix:///run/docker.sock' });
    expect(() =>
      state.commit(() => {
        state.updateDeployment({ current: '0.3.0', phase: 'trial' });
        throw new Error('power cut');
      }),
    ).toThrow('power cut');
    state.close();
    const again = readState(folder);
    expect(again.deployment()).toMatchObject({ product: 'notes', current: null, phase: 'none' });
    again.close();
  });
  test('of a newer airdock is refused with a word on which one to use', () => {
    openState(folder, '1.2.3').close();
    const raw = new DatabaseSync(path.join(folder, 'state.db'));
    raw.exec(`PRAGMA user_version = 99; INSERT INTO written_by VALUES (99, '7.8.9', '2030-01-01T00:00:00Z')`);
    raw.close();
    const before = readFileSync(path.join(folder, 'state.db'));
    const refusal = (hint: string): unknown =>
      expect.objectContaining({
        code: 'STATE_TOO_NEW',
        exitCode: 5,
        message: expect.stringContaining('airdock 7.8.9'),
        hint,
      });
    expect(() => openState(folder, '1.2.3')).toThrow(refusal('Use airdock 7.8.9 or newer.'));
    const placed = path.join(folder, 'bin/airdock');
    mkdirSync(path.dirname(placed));
    writeFileSync(placed, '');
    const refused = refusal(`Use airdock 7.8.9 or newer: ${placed}`);
    expect(() => openState(folder, '1.2.3')).toThrow(refused);
    expect(() => readState(folder)).toThrow(refused);
    expect(readFileSync(path.join(folder, 'state.db')).equals(before)).toBe(true);
  });
});

// What an airdock of each past form left behind: an upgrade to 0.3.0 that was killed behind the switch.
const forms = readdirSync(frozen)
  .map((name) => Number.parseInt(name, 10))
  .toSorted((a, b) => a - b);

test('every past form is frozen', () => {
  expect(forms).toEqual(migrations.slice(0, -1).map((_sql, index) => index + 1));
});

describe.each(forms)('the state of form %i', (form) => {
  const file = (): string => path.join(folder, 'state.db');
  beforeEach(() => cp(path.join(frozen, String(form)), folder, { recursive: true }));

  const told = (state: State): object => ({
    deployment: state.deployment(),
    releases: state.releases().map(({ version, origin, goodAt }) => ({ version, origin, goodAt })),
    migrations: state.migrations(),
    keys: state.trust.all().length,
    open: openJournal(state, clock).open(),
    steps: openJournal(state, clock).steps(2),
    all: openJournal(state, clock).all(),
  });

  test('is read as it is', () => {
    const before = readFileSync(file());
    const state = readState(folder);
    expect(told(state)).toMatchObject({
      deployment: { product: 'nodepad', current: '0.3.0', phase: 'trial', highestGood: '0.2.4' },
      open: {
        id: 2,
        kind: 'upgrade',
        from: '0.2.4',
        to: '0.3.0',
        direction: 'forward',
        backup: expect.stringMatching(/^\d{8}-1$/) as string,
      },
    });
    state.close();
    expect(readFileSync(file()).equals(before)).toBe(true);
  });

  test('has a plan and a release that can still be gone on with', async () => {
    const plan = planDocument.parse(JSON.parse(readFileSync(path.join(folder, 'transactions/2/plan.json'), 'utf8')));
    expect(plan).toMatchObject({ kind: 'upgrade', from: '0.2.4', to: '0.3.0' });
    const state = readState(folder);
    const release = await readStoredRelease(await openStore(folder), state.release('0.3.0')!);
    expect(release.files.has('compose.yaml')).toBe(true);
    state.close();
  });

  test('is shown by history in its documented form', async () => {
    await cp(path.join(frozen, String(form)), path.join(folder, '.airdock'), { recursive: true });
    const host = { openDocker, clock } as unknown as Host; // history asks no engine
    expect(historyDocument.parse(await readHistory(host, { directory: folder })).history).toMatchObject([
      { id: 1, kind: 'install', outcome: 'done' },
      { id: 2, kind: 'upgrade', outcome: 'open' },
    ]);
  });

  test('is migrated: it shows the same, the open transaction can be ended, and the migrating version is recorded', () => {
    const old = readState(folder);
    const before = told(old);
    old.close();
    const state = openState(folder, '1.2.3');
    expect(told(state)).toEqual(before);
    openJournal(state, clock).end(2, 'done');
    state.close();
    const again = readState(folder);
    expect(openJournal(again, clock).all().at(-1)).toMatchObject({ id: 2, outcome: 'done' });
    expect(again.sql.prepare('SELECT schema, version FROM written_by ORDER BY schema DESC LIMIT 1').get()).toEqual({
      schema: migrations.length,
      version: '1.2.3',
    });
    again.close();
  });

  test.each([
    ['told to who changes it', (): unknown => stateSchema(folder)],
    ['read by who only looks', (): unknown => told(readState(folder))],
  ])('killed inside of a commit, it is %s as it was before', async (_who, look) => {
    const before = look();
    const half = [
      `const { DatabaseSync } = require('node:sqlite');`,
      `const sql = new DatabaseSync(${JSON.stringify(path.join(folder, 'state.db'))});`,
      // so little memory that what is not committed spills into the file: a hot journal stays
      `sql.exec('PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; CREATE TABLE half (x)');`,
      `for (let i = 0; i < 500; i++) sql.exec("INSERT INTO half VALUES (hex(randomblob(2000)))");`,
      `process.kill(process.pid, 'SIGKILL');`,
    ].join('\n');
    await once(spawn(process.execPath, ['-e', half], { stdio: 'ignore' }), 'exit');
    expect(readdirSync(folder)).toContain('state.db-journal');
    expect(look()).toEqual(before);
    openState(folder, '1.2.3').close();
  });

  test('killed while it is migrated, it has one form or the next', () => {
    const raw = new DatabaseSync(file());
    raw.exec(`BEGIN IMMEDIATE; ${migrations[form]}`);
    raw.close(); // without a COMMIT
    expect(stateSchema(folder)).toBe(form);
    openState(folder, '1.2.3').close();
    expect(stateSchema(folder)).toBe(migrations.length);
  });
});

describe('the journal', () => {
  test('knows the one open transaction, its steps in order, and its end', () => {
    const state = openState(folder, '1.2.3');
    const journal = openJournal(state, clock);
    expect(journal.open()).toBeUndefined();
    const { id } = journal.begin({
      kind: 'upgrade',
      from: '0.2.4',
      to: '0.3.0',
      class: 'expand',
      operator: 'root',
      program: '1.2.3',
    });
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
    expect(() =>
      journal.begin({ kind: 'upgrade', from: null, to: '1.0.0', class: 'none', operator: 'root', program: '1.2.3' }),
    ).toThrow('open already');
    journal.turnToUndo(id, 'health');
    journal.turnToUndo(id, 'a later word does not hide the first');
    expect(journal.open()).toMatchObject({ direction: 'undo', error: 'health' });
    journal.end(id, 'rolled-back');
    expect(journal.open()).toBeUndefined();
    expect(journal.all()[0]).toMatchObject({ outcome: 'rolled-back', error: 'health' });
    state.close();
  });
});
