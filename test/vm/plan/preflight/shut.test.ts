import { describe, expect, test } from 'vitest';
import type { ComposeModel } from '../../../../src/io/compose.ts';
import { checkShut } from '../../../../src/vm/plan/preflight/shut.ts';
import { composed, context } from '../../../helpers/preflight-context.ts';

/** docs/adr/0008-irreversible.md: what would open traffic early. */

const { release } = context();
const manifest = { ...release.manifest, writers: ['api', 'worker'], traffic: ['frontend', 'worker'] };

describe('services that must not open traffic early', () => {
  const look = (services: ComposeModel['services'], swaps: boolean) =>
    checkShut(context({ compose: composed(services), swaps, release: { ...release, manifest } })).map(({ code }) => code);
  const codes = (services: ComposeModel['services']) => look(services, true);
  test('a service that depends on a shut service cannot be tested', () => {
    expect(codes({ api: { depends_on: { frontend: {} } }, frontend: {} })).toEqual(['TRAFFIC_DEPENDENCY']);
  });
  test('a writer that publishes a port lets users in', () => {
    expect(codes({ api: { ports: [{ target: 8000, published: '8000' }] } })).toEqual(['TRAFFIC_PORT']);
  });
  test('a shut service may have any dependency, and the database may have a port', () => {
    expect(
      codes({ api: {}, db: { ports: [{ target: 5432 }] }, frontend: { depends_on: { worker: {} }, ports: [{ target: 80 }] } }),
    ).toEqual([]);
  });
  test('nothing is shut where no database is swapped', () => {
    expect(look({ api: { ports: [{ target: 8000, published: '8000' }] } }, false)).toEqual([]);
  });
});
