import { describe, expect, test } from 'vitest';
import { codeContainersOf } from '../../../../src/vm/services/code-containers.ts';
import { checkShut } from '../../../../src/vm/plan/preflight/swap.ts';
import type { State } from '../../../../src/vm/state/state.ts';
import { asideName } from '../../../../src/data/postgres/swap/swap-names.ts';
import type { ContainerInfo } from '../../../../src/io/container.ts';
import { makeRelease } from '../../../helpers/bundle.ts';

/** docs/adr/0008-irreversible.md: names, what must not meet another schema, what would open traffic early. */

describe('the name of what is put aside', () => {
  test('says release and transaction', () => {
    expect(asideName('nodepad', '0.3.0', 14)).toBe('nodepad_0_3_0_t14');
    expect(asideName('nodepad', '1.0.0-rc.1+build', 2)).toBe('nodepad_1_0_0_rc_1_build_t2');
  });
  test('has at most 63 bytes, cut at a character, and never in what tells two of them apart', () => {
    const long = asideName('ä'.repeat(40), '0.3.0', 14);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(63);
    expect(long).toMatch(/^ä+_0_3_0_t14$/);
    expect(asideName('x', `1.0.0-${'a'.repeat(100)}`, 7)).toMatch(/_t7$/);
  });
});

const manifest = { ...makeRelease({ version: '0.4.0' }).manifest, writers: ['api', 'worker'], traffic: ['frontend', 'worker'] };

describe('services that are not to open traffic early', () => {
  const codes = (services: Parameters<typeof checkShut>[0]['services']) =>
    checkShut({ name: 'notes', services }, [manifest]).map(({ code }) => code);
  test('what depends on a service that is shut cannot be tried', () => {
    expect(codes({ api: { depends_on: { frontend: {} } }, frontend: {} })).toEqual(['TRAFFIC_DEPENDENCY']);
  });
  test('a writer with a port of its own lets users in', () => {
    expect(codes({ api: { ports: [{ target: 8000, published: '8000' }] } })).toEqual(['TRAFFIC_PORT']);
  });
  test('a shut service may depend on what it likes, and the database may have a port', () => {
    expect(
      codes({ api: {}, db: { ports: [{ target: 5432 }] }, frontend: { depends_on: { worker: {} }, ports: [{ target: 80 }] } }),
    ).toEqual([]);
  });
});

describe('code that must not meet another schema', () => {
  const container = (service: string, image: string) => ({ service, image }) as ContainerInfo;
  const state = { release: () => undefined } as unknown as State;
  const code = codeContainersOf({ state }, { from: null, to: '0.4.0' }, manifest);
  const [own] = manifest.images;
  test('is every writer and traffic service, and whatever runs an image of the release', () => {
    expect(code.includes(container('frontend', 'anything:1'))).toBe(true);
    expect(code.includes(container('reports', own?.reference ?? ''))).toBe(own?.reference.endsWith(':0.4.0') ?? false);
    expect(code.includes(container('db', 'postgres:15'))).toBe(false);
  });
  test('knows what stays shut', () => {
    expect(code.traffic).toEqual(['frontend', 'worker']);
  });
});
