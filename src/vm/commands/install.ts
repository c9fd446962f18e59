import path from 'node:path';
import { sumsName } from '../../bundle/names.ts';
import type { OpenBundle } from '../../bundle/reader.ts';
import { AirdockError, consentRefused } from '../../errors.ts';
import { asStep } from '../../events.ts';
import { readIfExists } from '../../io/files.ts';
import { beginTransaction } from '../transaction/begin.ts';
import { assertClear } from '../plan/plan.ts';
import type { EnvInputs } from '../env/template.ts';
import { gatherFacts, type Facts } from '../plan/facts.ts';
import type { Host } from '../site/host.ts';
import { openTrusted, pinnedKeys, type NamedTrust } from '../site/open-trusted.ts';
import { makePlan } from '../plan/plan.ts';
import type { Plan } from '../plan/document.ts';
import { recover, type Recovered } from '../transaction/recover.ts';
import type { Release } from '../store/release.ts';
import { runForward, type Finished } from '../transaction/run.ts';
import { steps } from '../transaction/steps.ts';
import { changeSite, lookAtSite, type ManagedSite, type Records, type Site } from '../site/site.ts';
import { openStore } from '../store/store.ts';
import { discardLocal } from '../staging/discard-local.ts';

/** First installs and upgrades from a bundle. */
export type BundleOptions = {
  directory: string;
  project?: string | undefined;
  bundle: string;
  trust: NamedTrust;
  inputs: EnvInputs;
  allowDowngrade?: boolean | undefined;
  /** The operator's consent when airdock saves no data: they back the data up. */
  dataIsSavedElsewhere?: boolean | undefined;
  discardLocal?: boolean | undefined;
  /** False with `--no-rehearsal`. */
  rehearse?: boolean | undefined;
};

export type InstallResult = {
  plan: Plan | undefined;
  recovered: Recovered | undefined;
  /** Undefined when the release was current already. */
  finished: Finished | undefined;
  version: string;
};

/** The plan of an install; changes nothing. */
export async function planInstall(host: Host, options: BundleOptions): Promise<Plan> {
  return lookAtSite(host, options, async (site, records) => {
    const open = records?.journal.open();
    if (open)
      host.listener({
        type: 'warning',
        text: `transaction ${open.id} (${open.kind} ${open.to}) is under way or was interrupted; install finishes or undoes it first`,
      });
    const bundle = await openTrusted(host, options, records?.state.trust.all() ?? []);
    try {
      return makePlan(await factsOf(site, records, bundle, options), steps);
    } finally {
      await bundle.close();
    }
  });
}

/**
 * Verifies the bundle, makes the plan, asks, and carries the plan out.
 * @param consent gets the plan; false ends the command without a change
 */
export async function install(
  host: Host,
  options: BundleOptions,
  consent: (plan: Plan) => Promise<boolean>,
): Promise<InstallResult> {
  const bundle = await verified(host, options);
  try {
    return await changeSite(host, options, async (site) => {
      const recovered = await recover(site);
      const deployment = site.state.deployment();
      if (deployment?.current === bundle.manifest.version && !options.discardLocal) {
        await assertSameRelease(site, bundle);
        return { plan: undefined, recovered, finished: undefined, version: bundle.manifest.version };
      }
      const { plan, facts } = await preflight(site, bundle, options);
      if (!(await consent(plan))) throw consentRefused();
      if (options.discardLocal) await discardLocal(site);
      const transaction = await beginTransaction(site, { facts, plan, release: bundle, bundle });
      const finished = await runForward(
        transaction,
        plan.steps.map((step) => step.id),
      );
      return { plan, recovered, finished, version: bundle.manifest.version };
    });
  } finally {
    await bundle.close();
  }
}

/** A version must always have the same content: a rebuilt release would move image names that running containers use. */
async function assertSameRelease(site: ManagedSite, bundle: OpenBundle): Promise<void> {
  const { version } = bundle.manifest;
  if (site.state.release(version)?.origin !== 'bundle') return;
  const installed = (await site.store.readRelease(version)).get(sumsName);
  if (installed?.equals(bundle.sumsBytes)) return;
  throw new AirdockError('UPGRADE_PATH_REFUSED', `another ${version} is installed here: the two bundles differ in content`, {
    hint: 'Ask the vendor which one is right; a changed release should have a new version.',
  });
}

async function verified(host: Host, options: BundleOptions): Promise<OpenBundle> {
  const airdock = path.join(path.resolve(options.directory), '.airdock');
  const { bundle } = await asStep(host.listener, 'verify', async () => {
    const opened = await openTrusted(host, options, pinnedKeys(airdock));
    return { bundle: opened, summary: `signed by ${opened.signer.fingerprint}` };
  });
  return bundle;
}

async function preflight(site: ManagedSite, bundle: OpenBundle, options: BundleOptions): Promise<{ plan: Plan; facts: Facts }> {
  const { plan, facts } = await asStep(site.host.listener, 'preflight', async () => {
    const gathered = await factsOf(site, site, bundle, options);
    const planned = makePlan(gathered, steps);
    const ok = planned.findings.length === 0;
    return {
      plan: planned,
      facts: gathered,
      ok,
      summary: ok ? 'no findings' : `${planned.findings.length} ${planned.findings.length === 1 ? 'finding' : 'findings'}`,
    };
  });
  assertClear(plan);
  return { plan, facts };
}

async function factsOf(site: Site, records: Records | undefined, bundle: OpenBundle, options: BundleOptions): Promise<Facts> {
  const deployment = records?.state.deployment();
  const facts = await gatherFacts({
    site,
    records,
    kind: deployment?.current ? 'upgrade' : 'install',
    release: bundle satisfies Release,
    inputs: options.inputs,
    missingBlobs: async (blobs) => (records ? (await openStore(site.airdock)).missing(blobs) : [...blobs]),
    inBundle: (digest) => bundle.leftOut.every((name) => bundle.sums.get(name) !== digest),
    allowDowngrade: options.allowDowngrade,
    dataIsSavedElsewhere: options.dataIsSavedElsewhere,
    discardLocal: options.discardLocal,
    rehearse: options.rehearse,
  });
  const adoption = deployment ? [] : await adoptionFindings(site);
  // other findings, such as used ports, only follow from a deployment that airdock did not make
  return adoption.length > 0 ? { ...facts, findings: adoption } : facts;
}

/** Only `adopt` takes over a deployment that was made by hand; `install` refuses (docs/OPERATIONS.md section 3). */
async function adoptionFindings(site: Site): Promise<Facts['findings']> {
  const containers = await site.docker.containers({ project: site.project });
  const volumes = await site.docker.volumes(site.project);
  const compose = await readIfExists(path.join(site.directory, 'compose.yaml'));
  const traces = [
    ...(containers.length > 0 ? [`${containers.length} containers`] : []),
    ...(volumes.length > 0 ? [`the volumes ${volumes.map((volume) => volume.name).join(', ')}`] : []),
    ...(compose ? [`a compose.yaml`] : []),
  ];
  if (traces.length === 0) return [];
  const elsewhere = containers.find(
    (container) => container.workingDir !== '' && path.resolve(container.workingDir) !== site.directory,
  );
  return [
    {
      code: 'ADOPTION_NEEDED',
      text: elsewhere
        ? `the project ${site.project} belongs to ${elsewhere.workingDir}, not to ${site.directory}`
        : `the project ${site.project} has ${traces.join(' and ')} that airdock did not make`,
      fix: elsewhere
        ? 'Choose another --dir or --project.'
        : `Take it over first: airdock adopt --dir ${site.directory} --bundle BUNDLE-OF-THE-RUNNING-VERSION`,
    },
  ];
}
