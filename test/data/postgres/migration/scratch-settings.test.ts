// One table for both sides: what a throwaway server is told, beside a live one that is told the opposite.
import { describe, expect, test } from 'vitest';
import { emptyServerBytes } from '../../../../src/data/postgres/migration/scratch-settings.ts';
import { withScratchPod } from '../../../../src/kubernetes/pods/scratch-pod.ts';
import { scratchFile } from '../../../../src/vm/scratch/compose-file.ts';
import { scratchBytes } from '../../../../src/vm/plan/preflight/disk.ts';
import { kubernetesSide } from '../../../helpers/database-sides.ts';
import { FakePostgres } from '../../../helpers/fake-postgres.ts';

const live = Object.entries({
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'remote_apply',
  synchronous_standby_names: '*',
  archive_mode: 'on',
  max_wal_size: '64GB',
  min_wal_size: '16GB',
  max_parallel_maintenance_workers: '8',
  max_parallel_workers_per_gather: '8',
  listen_addresses: '10.0.0.5',
}).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/** Of a setting that is given twice the last one counts. */
const effective = (args: readonly string[]): Record<string, string> =>
  Object.fromEntries(args.flatMap((one, index) => (args[index - 1] === '-c' ? [one.split('=') as [string, string]] : [])));

function onVm(): Record<string, string> {
  const options = { directory: '/opt/shop', service: 'db', live: { command: ['postgres', ...live] }, image: 'i', password: 'p' };
  const { services } = JSON.parse(scratchFile(options)) as { services: Record<string, { command: string[] }> };
  return effective(services['db']?.command ?? []);
}

async function onKubernetes(): Promise<Record<string, string>> {
  const { site, made } = kubernetesSide(new FakePostgres({}));
  const spec = { containers: [{ name: 'db', image: 'i', args: ['postgres', ...live] }] };
  await withScratchPod(site, { service: 'db', image: 'i', spec, container: 'db' }, async () => {});
  const pod = made.find(({ kind }) => kind === 'Pod')?.spec as { containers: { args: string[] }[] };
  expect(pod.containers[0]?.args[0]).toBe('postgres');
  return effective(pod.containers[0]?.args ?? []);
}

describe('a throwaway server', () => {
  test.each([
    ['fsync', 'off'],
    ['full_page_writes', 'off'],
    ['synchronous_commit', 'off'],
    ['max_wal_size', '128MB'],
    ['archive_mode', 'off'],
  ])('has %s=%s', async (name, value) => {
    expect([onVm()[name], (await onKubernetes())[name]]).toEqual([value, value]);
  });

  // a pod is started with none of the live server's arguments: PostgreSQL's own default holds there
  test.each([
    ['synchronous_standby_names', '', 'waits for nobody'],
    ['min_wal_size', '32MB', 'keeps less log than the disk ledger counts with'],
    ['max_parallel_maintenance_workers', '0', 'starts no workers'],
    ['max_parallel_workers_per_gather', '0', 'starts no workers'],
    ['listen_addresses', '*', 'is reached by its own address'],
  ])('has nothing of the live server’s %s: %s, it %s', async (name, value) => {
    expect([onVm()[name], (await onKubernetes())[name]]).toEqual([value, undefined]);
  });

  test('is in the disk ledger with an empty server and its largest log', async () => {
    const log = Number.parseInt((await onKubernetes())['max_wal_size'] ?? '', 10) * 2 ** 20;
    expect(emptyServerBytes).toBeGreaterThan(log + 40e6);
    expect(scratchBytes(7e9)).toBe(emptyServerBytes + 7e9);
  });
});
