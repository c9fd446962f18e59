import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { digestOf } from '../../src/digest.ts';
import { AirdockError } from '../../src/errors.ts';
import type { Host } from '../../src/vm/site/host.ts';
import { install } from '../../src/vm/commands/install.ts';
import { readStatus } from '../../src/vm/commands/status.ts';
import { resume } from '../../src/vm/commands/resume.ts';
import { rollback } from '../../src/vm/commands/rollback.ts';
import { migrations } from '../../src/vm/state/schema.ts';
import { hasState } from '../../src/vm/state/open-state.ts';
import { testKey, writeTestBundle } from '../helpers/bundle.ts';
import { container, FakeEngine } from './fake-engine.ts';

/** A shop without a database, its vendor's bundles, and everything that is done to it here: the disk is what is tried. */

export type Command = 'install' | 'upgrade' | 'rollback';
/** What the command goes from and to; null: nothing is installed. */
const ways: Record<Command, { from: string | null; to: string }> = {
  install: { from: null, to: '0.3.0' },
  upgrade: { from: '0.3.0', to: '0.4.0' },
  rollback: { from: '0.4.0', to: '0.3.0' },
};

export type Shop = { directory: string; engine: FakeEngine };

const compose = `services:
  api:
    image: ghcr.io/example/shop-api:\${VERSION}
  web:
    image: ghcr.io/example/shop-web:\${VERSION}
`;
const override = '# by the operator\nservices: {}\n';

export class Vendor {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async prepare(): Promise<void> {
    writeFileSync(path.join(this.folder, 'airdock'), 'airdock 1.0.0');
    chmodSync(path.join(this.folder, 'airdock'), 0o755);
    for (const version of ['0.3.0', '0.4.0'])
      await writeTestBundle(this.bundle(version), {
        version,
        files: {
          'compose.yaml': compose,
          'env.template': `VERSION=${version}\n# airdock: generate=hex32 secret\nSECRET_KEY=\nPORT_OF_${version.replaceAll('.', '_')}=80\n`,
          'bin/airdock-linux-x64.gz': gzipSync(`airdock 1${version.slice(1)}`),
        },
        manifest: { database: 'none', migrations: [{ version: '0.4.0', class: 'none', summary: '' }] },
      });
  }

  bundle(version: string): string {
    return path.join(this.folder, `shop-${version}.tar`);
  }

  host({ engine }: Shop): Host {
    const executable = path.join(this.folder, 'airdock');
    return {
      resolveEndpoint: async () => 'unix:///nowhere',
      openDocker: () => engine.docker(),
      openCompose: (options) => engine.compose(options),
      openToolbox: () => ({ exec: () => Promise.reject(new Error('no tools here')) }),
      systemd: { present: () => true, enable: async () => 'airdock-resume@shop.service' },
      connect: () => Promise.reject(new Error('no database here')),
      fetch: () => Promise.reject(new Error('nothing is asked for here')),
      clock: () => new Date('2026-11-26T02:14:00Z'),
      operator: 'root',
      program: {
        version: '1.0.0',
        executable,
        versionsOf: async (file) => ({ version: readFileSync(file, 'utf8').slice(8), stateSchema: migrations.length }),
      },
      listener: () => {},
      signal: new AbortController().signal,
    };
  }

  /** The command, as its user says it. */
  async run(command: Command, shop: Shop): Promise<void> {
    const { directory } = shop;
    const yes = async (): Promise<boolean> => true;
    if (command === 'rollback') await rollback(this.host(shop), { directory, version: ways.rollback.to }, yes);
    else {
      const trust = { given: [testKey.publicPem] };
      const bundle = this.bundle(ways[command].to);
      await install(this.host(shop), { directory, project: 'shop', bundle, trust, inputs: {} }, yes);
    }
  }

  /** The state before the command, in a directory of its own. */
  async before(command: Command, directory: string): Promise<Shop> {
    const engine = new FakeEngine();
    engine.containers.push(container({ id: 'n1', project: 'neighbour', service: 'web', image: 'nginx:1' }));
    const shop = { directory, engine };
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    writeFileSync(path.join(directory, 'compose.override.yaml'), override);
    if (command !== 'install') await this.run('install', shop);
    if (command === 'rollback') await this.run('upgrade', shop);
    return shop;
  }
}

/**
 * After a fault, with a disk that is well again: `resume` leaves one coherent version, the old or the new one, and the same
 * command again ends with the new one. Nothing of anybody else was touched, and nothing is left over.
 */
export async function expectCoherent(vendor: Vendor, command: Command, shop: Shop): Promise<void> {
  const { from, to } = ways[command];
  const records = path.join(shop.directory, '.airdock');
  if (hasState(records)) await resume(vendor.host(shop), shop);
  expect([from, to]).toContain(await serving(vendor, shop));
  await vendor.run(command, shop);
  expect(await serving(vendor, shop)).toBe(to);
  expect(leftOver(shop.directory)).toEqual([]);
  expect(readFileSync(path.join(shop.directory, 'compose.override.yaml'), 'utf8')).toBe(override);
  for (const name of readdirSync(path.join(records, 'blobs/sha256')))
    expect(digestOf(readFileSync(path.join(records, 'blobs/sha256', name)))).toBe(`sha256:${name}`);
  expect(shop.engine.running('neighbour')).toEqual({ web: '1' });
}

/** The version that serves; null when none does. @throws when there is a mixture, or the records say otherwise */
async function serving(vendor: Vendor, shop: Shop): Promise<string | null> {
  const status = await readStatus(vendor.host(shop), shop).catch((error: unknown) => {
    if (error instanceof AirdockError && error.code === 'NOT_A_DEPLOYMENT') return undefined;
    throw error;
  });
  const version = status?.current ?? null;
  expect(status?.interrupted ?? null).toBeNull();
  expect(status?.drift ?? []).toEqual([]);
  expect(shop.engine.running()).toEqual(version === null ? {} : { api: version, web: version });
  return version;
}

/** What only a transaction may have, while it is under way. */
function leftOver(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).filter((name) =>
    /\.partial$|\.airdock-new$|\.new$|transactions\/\d+\/(before|after)/.test(name),
  );
}

export function copyOf(shop: Shop, directory: string): Shop {
  rmSync(directory, { recursive: true, force: true });
  cpSync(shop.directory, directory, { recursive: true, preserveTimestamps: true });
  return { directory, engine: shop.engine.copy() };
}
