// The power goes before each call of an install, an upgrade and a rollback: nothing that was not synced is there afterwards, or
// every name and half of the bytes, or all of it, as after SIGKILL. The next command finishes or undoes it.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type * as promises from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../helpers/bundle.ts';
import { fired, sampled } from '../helpers/faults.ts';
import type { FakeEngine } from './fake-engine.ts';
import { durableNow, watched, type Durable } from './recorded-disk.ts';
import { copyOf, expectCoherent, Vendor, type Command } from './shop.ts';

vi.mock('node:fs/promises', async (original) => (await import('./recorded-disk.ts')).recorded(await original<typeof promises>()));
vi.mock('node:timers/promises', async () => (await import('./quick-clock.ts')).timers);
vi.setConfig({ testTimeout: 1_800_000, hookTimeout: 60_000 });

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let vendor: Vendor;
beforeAll(async () => {
  folder = await temporaryFolder();
  vendor = new Vendor(folder.path);
  await vendor.prepare();
});
afterAll(() => folder[Symbol.asyncDispose]());

const cuts = ['kept', 'dropped', 'torn'] as const;
type Left = { call: string; engine: FakeEngine; files: Record<(typeof cuts)[number], ReturnType<Durable['after']>> };

test.each<Command>(['install', 'upgrade', 'rollback'])('%s: the power goes at each call', async (command) => {
  const base = await vendor.before(command, folder.file(`${command}-base`));
  const shop = copyOf(base, folder.file('shop'));
  const { calls } = await watched(
    shop.directory,
    () => undefined,
    () => vendor.run(command, shop),
  );
  const wanted = new Set(sampled([...calls.keys()]));
  const again = copyOf(base, folder.file('shop'));
  const left: Left[] = [];
  const { result } = await watched(
    again.directory,
    ({ name, path: where }, index) => {
      if (!wanted.has(index)) return undefined;
      const durable = durableNow();
      const files = { kept: durable.after('kept'), dropped: durable.after('dropped'), torn: durable.after('torn') };
      left.push({ call: `${index}, ${name} ${where}`, engine: again.engine.copy(), files });
      return undefined;
    },
    () => vendor.run(command, again),
  );
  expect(result).toBeUndefined();
  expect(left).toHaveLength(wanted.size);
  for (const { call, engine, files } of left)
    for (const cut of cuts) {
      const directory = folder.file('shop');
      write(directory, files[cut]);
      await expectCoherent(vendor, command, { directory, engine: engine.copy() }).catch((error: Error) => {
        throw new Error(`power cut (${cut}) before call ${call}: ${error.message}`, { cause: error });
      });
      await fired('file-system', command, 'power', cut, call);
    }
});

function write(directory: string, files: ReturnType<Durable['after']>): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o755 });
  for (const [name, { mode, bytes }] of files) {
    const where = path.join(directory, name);
    if (bytes) writeFileSync(where, bytes);
    else mkdirSync(where);
    chmodSync(where, mode);
  }
}
