import type { ComposeModel } from '../../src/io/compose.ts';
import type { ContainerInfo } from '../../src/io/container.ts';
import type { Context } from '../../src/vm/plan/context.ts';
import type { Site } from '../../src/vm/site/site.ts';
import { makeRelease } from './bundle.ts';
import { facts } from './plan-facts.ts';

/** What the checks look at, without a machine. */

/** Of an install in an empty directory, against which nothing stands. */
export function context(change: Partial<Context> = {}): Context {
  const { engine, names, load } = facts();
  const { manifest } = makeRelease({ version: '0.3.0' });
  return {
    site: siteWith(),
    records: undefined,
    kind: 'install',
    release: { manifest, files: new Map() },
    inputs: {},
    deployment: undefined,
    installed: undefined,
    engine,
    containers: [],
    pathClass: 'none',
    swaps: false,
    names,
    load,
    env: { merged: undefined, invalid: undefined },
    staged: undefined,
    compose: composed({}),
    services: [],
    database: undefined,
    saved: [],
    installer: [],
    missingBlobs: [],
    ...change,
  };
}

/** New files that compose made this of. */
export function composed(services: ComposeModel['services']): Context['compose'] {
  return { model: { name: 'notes', services }, hashes: new Map(), invalid: undefined };
}

/** An engine with those containers and images, and a compose plugin of that version. */
export function siteWith(there: { containers?: ContainerInfo[]; images?: string[]; compose?: string } = {}): Site {
  const { containers = [], images = [], compose = '2.40.3' } = there;
  return {
    directory: '/opt/notes',
    docker: {
      containers: async () => containers,
      inspectImage: async (name: string) => (images.includes(name) ? { id: 'sha256:0' } : undefined),
    },
    compose: async () => ({ version: async () => compose }),
  } as unknown as Site;
}

export function container(change: Partial<ContainerInfo>): ContainerInfo {
  return {
    id: 'c1',
    name: 'notes-api-1',
    service: 'api',
    project: 'notes',
    oneOff: false,
    state: 'running',
    health: 'healthy',
    ports: [],
    ...change,
  } as ContainerInfo;
}
