import { describe, expect, test } from 'vitest';
import type { ContainerInfo } from '../../../src/io/container.ts';
import { codeContainersOf } from '../../../src/vm/services/code-containers.ts';
import type { State } from '../../../src/vm/state/state.ts';
import { makeRelease } from '../../helpers/bundle.ts';

const manifest = { ...makeRelease({ version: '0.4.0' }).manifest, writers: ['api', 'worker'], traffic: ['frontend', 'worker'] };

describe('code containers', () => {
  const container = (service: string, image: string) => ({ service, image }) as ContainerInfo;
  const state = { release: () => undefined } as unknown as State;
  const code = codeContainersOf({ state }, { from: null, to: '0.4.0' }, manifest);
  const [own] = manifest.images;
  test('are every writer and traffic service, and every container with an image of the release', () => {
    expect(code.includes(container('frontend', 'anything:1'))).toBe(true);
    expect(code.includes(container('reports', own?.reference ?? ''))).toBe(own?.reference.endsWith(':0.4.0') ?? false);
    expect(code.includes(container('db', 'postgres:15'))).toBe(false);
  });
  test('know which services stay shut', () => {
    expect(code.traffic).toEqual(['frontend', 'worker']);
  });
});
