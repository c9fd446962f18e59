// The smoke flow on engine 28.5 with the containerd store and compose 2.40.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { airdock } from '../helpers/airdock.ts';
import { startHost, type Host } from '../helpers/host.ts';
import { answering, containerIds, healthy, opt } from '../helpers/deployment.ts';
import { fingerprint, installed, seed } from '../helpers/nodepad.ts';
import { bundles } from '../helpers/releases.ts';
import { runName } from '../helpers/run-folder.ts';

const directory = opt('nodepad28');
let host: Host;
let releases: Awaited<ReturnType<typeof bundles>>;
beforeAll(async () => {
  releases = await bundles('0.2.4', '0.3.0');
  host = await startHost({ name: runName('e28'), engine: '28.5', store: 'containerd', compose: '2.40' });
});
afterAll(() => host?.stop());

test('install, upgrade, rollback after a prune: rows, database and redis stay', async () => {
  await installed(host, '0.2.4', directory);
  await healthy(host, directory, '0.2.4');
  await seed(host, directory, { rows: 500 });
  const rows = await fingerprint(host, directory);
  const { db, redis } = await containerIds(host, directory);

  const upgrade = await airdock(host, ['install', releases.path('0.3.0'), '--dir', directory, '--yes']);
  expect(upgrade.exitCode, upgrade.stdout).toBe(0);
  expect(await answering(host, directory)).toBe('0.3.0');
  // only what changed went into the engine: the app layers, not the base
  const load = upgrade.events.find((event) => event.type === 'step-ended' && event.step === 'load');
  expect(load).toMatchObject({ summary: expect.stringMatching(/2 images, \d+(\.\d)? k?B$/) });

  await host.docker('image', 'prune', '-af');
  const back = await airdock(host, ['rollback', '0.2.4', '--dir', directory, '--yes']);
  expect(back.exitCode, back.stdout).toBe(0);
  expect(await answering(host, directory)).toBe('0.2.4');
  expect(await fingerprint(host, directory)).toBe(rows);
  expect(await containerIds(host, directory)).toMatchObject({ db, redis });
  expect((await airdock(host, ['status', '--dir', directory])).json).toMatchObject({
    current: '0.2.4',
    drift: [],
    interrupted: null,
  });
});
