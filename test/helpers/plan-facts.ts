import type { Facts } from '../../src/vm/plan/facts.ts';
import type { Plan } from '../../src/vm/plan/document.ts';
import { makePlan } from '../../src/vm/plan/plan.ts';
import { steps } from '../../src/vm/transaction/steps.ts';
import { makeRelease } from './bundle.ts';

/** What a plan depends on, without a machine. */

export const known = [
  { version: '0.3.0', class: 'expand', summary: 'adds a column' },
  { version: '0.4.0', class: 'irreversible', summary: 'drops a column' },
  { version: '0.4.1', class: 'none', summary: '' },
] as const;

const release = makeRelease({ version: '0.3.0' });

/** Of an upgrade 0.2.4 -> 0.3.0 against which nothing stands. */
export function facts(change: Partial<Facts> = {}, target: Partial<Facts['target']> = {}): Facts {
  return {
    kind: 'upgrade',
    directory: '/opt/notes',
    project: 'notes',
    target: {
      ...release.manifest,
      product: 'notes',
      upgrade: { from: '>=0.2.0', stops: [] },
      migrations: [...known].filter((one) => one.version === '0.3.0'),
      ...target,
    },
    signer: 'SHA256:x',
    allowDowngrade: false,
    dataIsSavedElsewhere: false,
    restore: null,
    aside: null,
    since: null,
    restoreDatabase: false,
    rehearse: true,
    deployment: {
      product: 'notes',
      project: 'notes',
      endpoint: 'unix:///var/run/docker.sock',
      current: '0.2.4',
      phase: 'good',
      schemaRelease: '0.2.4',
      highestGood: '0.2.4',
      securityFloor: null,
      composeDigest: null,
    },
    migrations: [...known],
    engine: { serverVersion: '28.5.2', rootDir: '/var/lib/docker', store: 'classic', architecture: 'amd64', os: 'linux' },
    names: [],
    load: { present: [], tag: [], load: [], omit: new Set(), bytes: 0, uncompressedBytes: 0 },
    missingBlobs: [],
    env: { add: [], generated: [], missing: [], changed: [] },
    staged: undefined,
    database: null,
    disk: [],
    recreated: [],
    removed: [],
    added: [],
    saved: [],
    volumes: [],
    findings: [],
    ...change,
  };
}

/** Of what stands against it. */
export const planOf = (one: Facts): Plan => makePlan(one, steps);

export const codes = (one: Facts): string[] => planOf(one).findings.map((finding) => finding.code);
export const running = (change: Partial<NonNullable<Facts['deployment']>>): Facts['deployment'] => ({
  ...facts().deployment!,
  ...change,
});
