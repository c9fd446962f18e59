// ENOSPC and EIO at each call of an install, an upgrade and a rollback, one run for each, until one is through untouched.
import type * as promises from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { errorDocument } from '../../src/cli/render/error.ts';
import { temporaryFolder } from '../helpers/bundle.ts';
import { fired, sampled } from '../helpers/faults.ts';
import { diskFault, watched } from './recorded-disk.ts';
import { copyOf, expectCoherent, Vendor, type Command, type Shop } from './shop.ts';

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

describe.each<Command>(['install', 'upgrade', 'rollback'])('%s', (command) => {
  let base: Shop;
  beforeAll(async () => {
    base = await vendor.before(command, folder.file(`${command}-base`));
  });

  test.each(['ENOSPC', 'EIO'] as const)('%s at each call', async (code) => {
    const shop = copyOf(base, folder.file('shop'));
    const whole = await watched(
      shop.directory,
      () => undefined,
      () => vendor.run(command, shop),
    );
    expect(whole.result).toBeUndefined();
    const may = whole.calls.flatMap((call, index) => (code === 'EIO' || call.writes ? [index] : []));
    expect(may.length).toBeGreaterThan(20);
    for (const at of sampled(may)) {
      const tried = copyOf(base, folder.file('shop'));
      let hit = '';
      const { result } = await watched(
        tried.directory,
        (call, index) => {
          if (index !== at) return undefined;
          hit = `${call.name} ${call.path}`;
          return diskFault(code, call);
        },
        () => vendor.run(command, tried),
      );
      const where = `${code} at call ${at}, ${hit}`;
      expect(hit, where).not.toBe('');
      expect(result instanceof Error ? errorDocument(result).code : '', where).not.toBe('INTERNAL');
      await expectCoherent(vendor, command, tried).catch((error: Error) => {
        throw new Error(`${where}: ${error.message}`, { cause: error });
      });
      await fired('file-system', command, code, String(at));
    }
  });
});
