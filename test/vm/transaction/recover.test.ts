import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ProgressEvent } from '../../../src/events.ts';
import { openJournal } from '../../../src/vm/state/journal.ts';
import { recover } from '../../../src/vm/transaction/recover.ts';
import type { ManagedSite } from '../../../src/vm/site/site.ts';
import { openState } from '../../../src/vm/state/open-state.ts';
import { openStore } from '../../../src/vm/store/store.ts';
import { openDocker } from '../../../src/io/docker.ts';
import { temporaryFolder } from '../../helpers/bundle.ts';

// Which program may go on with a transaction that another one began (docs/adr/0006). No engine answers here.
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let site: ManagedSite;
let events: ProgressEvent[];
const place = (): string => path.join(site.airdock, 'bin/airdock');

beforeEach(async () => {
  folder = await temporaryFolder();
  const airdock = folder.file('.airdock');
  await mkdir(airdock, { mode: 0o700 });
  await writeFile(folder.file('running'), 'the running program', { mode: 0o755 });
  events = [];
  const program = { version: '1.4.0', executable: folder.file('running'), versionsOf: async () => undefined };
  const state = openState(airdock, '1.4.0');
  site = {
    directory: folder.path,
    airdock,
    project: 'shop',
    docker: openDocker(`unix://${folder.file('no.sock')}`),
    host: { program, listener: (event: ProgressEvent) => void events.push(event) },
    store: await openStore(airdock),
    state,
    journal: openJournal(state, () => new Date('2026-11-25T02:14:00Z')),
  } as unknown as ManagedSite;
});
afterEach(async () => {
  site.state.close();
  await folder[Symbol.asyncDispose]();
});

const begun = (program: string): void =>
  void site.journal.begin({ kind: 'upgrade', from: '0.2.4', to: '0.3.0', class: 'expand', operator: 'root', program });

test.each(['1.5.0', '2.0.0'])('begun by airdock %s: an older one refuses and says which one to use', async (program) => {
  begun(program);
  await expect(recover(site)).rejects.toMatchObject({
    code: 'STATE_TOO_NEW',
    exitCode: 5,
    message: `transaction 1 (upgrade 0.3.0) was begun by airdock ${program} and is not finished; this is airdock 1.4.0`,
    hint: `Use airdock ${program} or newer.`,
  });
  expect(site.journal.open()).toMatchObject({ id: 1, direction: 'forward' });
  expect(site.journal.steps(1)).toEqual([]);
  expect(existsSync(place())).toBe(false);
  expect(events).toEqual([]);
});

test.each(['1.4.0', '1.3.9'])(
  'begun by airdock %s: who goes on lies in .airdock/bin before it does anything',
  async (program) => {
    begun(program);
    await expect(recover(site)).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
    expect(await readFile(place(), 'utf8')).toBe('the running program');
  },
);

test('nothing is interrupted: no program is put in place', async () => {
  expect(await recover(site)).toBeUndefined();
  expect(existsSync(place())).toBe(false);
});
