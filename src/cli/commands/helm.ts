import { backedUpElsewhere, putBackByHand } from '../saved-elsewhere-option.ts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { trustedByPins, authorizeBy } from '../../bundle/authorize.ts';
import { openBundle, type OpenBundle } from '../../bundle/reader.ts';
import { pinnedOf } from '../../kubernetes/record/pins.ts';
import type { HelmPlan } from '../../kubernetes/plan/plan.ts';
import { helmPrepare } from '../../kubernetes/commands/prepare.ts';
import { withRollbackFacts } from '../../kubernetes/plan/rollback-plan.ts';
import { helmResume } from '../../kubernetes/commands/resume.ts';
import { helmRollback } from '../../kubernetes/commands/rollback.ts';
import type { KubernetesRelease } from '../../kubernetes/record/site.ts';
import { helmHistory, helmStatus } from '../../kubernetes/commands/status.ts';
import { helmUpgrade, planOf } from '../../kubernetes/commands/upgrade.ts';
import type { UpgradeOptions } from '../../kubernetes/plan/upgrade-options.ts';
import { consentRefused, exitCodes } from '../../errors.ts';
import { refusalCode } from '../../policy/finding.ts';
import { addClusterOptions, kubernetesRelease, withChart, type ClusterFlags } from '../cluster.ts';
import { consent } from '../consent.ts';
import type { Act, CliContext } from '../context.ts';
import { addPushOptions, pushedText, pusherOf, type PushOptions } from '../push-options.ts';
import { helmHistoryText, helmPlanText, helmStatusText } from '../render/helm.ts';
import { addTrustOption, at, authorizeFrom, type TrustOptions } from '../trust.ts';

type UpgradeFlags = ClusterFlags &
  TrustOptions &
  PushOptions & {
    registry?: string;
    registryValue: string;
    values: string[];
    timeout: number;
    rehearsal: boolean;
    allowDowngrade?: true;
    dataIsSavedElsewhere?: true;
    forceConflicts?: true;
    ownerSuspended?: true;
    plan?: true;
    yes?: true;
  };
type ResumeFlags = ClusterFlags & { yes?: true };
type RollbackFlags = ClusterFlags & {
  restoreDatabase?: true;
  dataIsSavedElsewhere?: true;
  timeout: number;
  forceConflicts?: true;
  ownerSuspended?: true;
  plan?: true;
  yes?: true;
};

export function declare(command: Command, act: Act): void {
  command.description(
    'Upgrades and rolls back a release on Kubernetes together with its database, using your own helm and kubectl.',
  );
  const one = (name: string, description: string): Command => addClusterOptions(command.command(name).description(description));
  const timeout = new Option('--timeout <seconds>', 'how long to wait for the new pods').default(600).argParser(positive);
  const force = new Option('--force-conflicts', 'take over fields that other field managers set (helm 4)');
  const suspended = new Option('--owner-suspended', 'the GitOps controller of the release is suspended');
  const upgrading = (name: string, description: string): Command =>
    addPushOptions(addTrustOption(one(name, description).argument('<bundle>')))
      .option(
        '--registry <host/path>',
        'registry to push the images to, from which the cluster pulls them; without it nothing is pushed',
      )
      .option('--registry-value <key>', 'the value of the chart that names the registry', 'global.imageRegistry')
      .option('-f, --values <file>', 'values file, as for helm (may be given several times)', several, [])
      .addOption(timeout)
      .option('--no-rehearsal', 'do not restore the backup and try the migration on the copy first (the history records it)')
      .option('--allow-downgrade', 'install a version older than one that ran here')
      .addOption(backedUpElsewhere())
      .addOption(force)
      .addOption(suspended)
      .option('--yes', 'do not ask');
  upgrading(
    'upgrade',
    'Pushes the images, backs the database up, rehearses the migration on a copy, and upgrades with helm. Installs the release when there is none.',
  )
    .option('--plan', 'only show what would be done')
    .action(act(upgrade));
  upgrading(
    'prepare',
    'Pushes the images, backs the database up, rehearses the migration, and prints the values: for a release that a GitOps controller upgrades.',
  ).action(act(prepare));
  one('rollback', 'Goes back to an earlier version or helm revision, and with --restore-database to its database too.')
    .argument('[to]', 'a version or a helm revision (default: the previous release)')
    .option('--restore-database', 'put the older database back too; the current one is kept')
    .addOption(putBackByHand())
    .addOption(timeout)
    .addOption(force)
    .addOption(suspended)
    .option('--plan', 'only show what would be done')
    .option('--yes', 'do not ask')
    .action(act(rollback));
  one('resume', 'Finishes or undoes an operation that was interrupted, on this machine or another.')
    .option('--yes', 'do not ask whether somebody is still working on it')
    .action(act(resume));
  one('status', 'Shows what runs, what differs from the records, and what each rollback would need.').action(act(status));
  one('history', 'Shows the revisions of helm and what airdock did.').action(act(history));
}

async function upgrade(context: CliContext, file: string, flags: UpgradeFlags): Promise<number | undefined> {
  return withOptions(context, file, flags, async (site, options) => {
    if (flags.plan) return showPlan(context, (await planOf(site, options)).plan);
    const { plan, transaction, backup, revision } = await helmUpgrade(site, options);
    const { release, kubectl } = site;
    const { from, to: current, class: pathClass } = plan;
    const done = { release, namespace: kubectl.namespace, from, current, class: pathClass, transaction, backup, revision };
    const back = from === null || from === current ? '' : `Back again: ${plan.rollback.replace(/^.*?: /, '')}\n`;
    context.result(
      { schema: 'airdock.helm-upgrade/1', ...done },
      `${plan.product} ${current} is serving, as revision ${revision}.\n${back}`,
    );
    return undefined;
  });
}

async function prepare(context: CliContext, file: string, flags: UpgradeFlags): Promise<number | undefined> {
  return withOptions(context, file, flags, async (site, options) => {
    const { plan, backup, rehearsed, values } = await helmPrepare(site, options);
    const { release, kubectl } = site;
    const done = {
      release,
      namespace: kubectl.namespace,
      from: plan.from,
      to: plan.to,
      class: plan.class,
      backup,
      rehearsed,
      values,
    };
    const before = backup === null ? 'the way back is your own backup' : `the backup ${backup} is the way back`;
    const stops =
      plan.class === 'irreversible'
        ? `The migration is irreversible, and a controller runs it on the live database. Suspend the controller and use airdock helm upgrade --owner-suspended, or stop all writers of the database first; ${before}.\n`
        : '';
    const text = `The upgrade to ${plan.product} ${plan.to} is prepared. The running release was not touched.\n${stops}Give your controller chart version ${plan.to} and these values:\n${values}`;
    context.result({ schema: 'airdock.helm-prepare/1', ...done }, text);
    return undefined;
  });
}

/** Opens the bundle, writes its chart to a file, and calls `work` with the options of an upgrade. Closes the bundle at the end. */
async function withOptions(
  context: CliContext,
  file: string,
  flags: UpgradeFlags,
  work: (site: KubernetesRelease, options: UpgradeOptions) => Promise<number | undefined>,
): Promise<number | undefined> {
  const site = await kubernetesRelease(context, flags);
  const pusher = flags.registry === undefined ? undefined : await pusherOf(context, flags.registry, flags);
  const bundle = await openFor(context, site, file, flags);
  try {
    return await withChart(bundle, (chart) =>
      work(site, {
        bundle,
        chart,
        values: flags.values.map((path) => at(context, path)),
        set: pusher ? { [flags.registryValue]: pusher.target.text } : {},
        registry: pusher?.target.text,
        timeoutSeconds: flags.timeout,
        rehearse: flags.rehearsal,
        allowDowngrade: flags.allowDowngrade ?? false,
        dataIsSavedElsewhere: flags.dataIsSavedElsewhere ?? false,
        forceConflicts: flags.forceConflicts ?? false,
        ownerSuspended: flags.ownerSuspended ?? false,
        push: pusher && (async () => pushedText((await pusher.push(bundle, () => {})).blobs)),
        consent: (plan) => agreed(context, helmPlanText(plan), `Go on with ${site.release} ${plan.to}?`, flags.yes),
      }),
    );
  } finally {
    await bundle.close();
  }
}

function showPlan(context: CliContext, plan: HelmPlan): number | undefined {
  context.result(plan, helmPlanText(plan));
  const refused = refusalCode(plan.findings);
  return refused && exitCodes[refused];
}

/** Opens the bundle with the keys that the cluster's record pins or, when there are none, with those of the options. */
async function openFor(context: CliContext, site: KubernetesRelease, file: string, flags: TrustOptions): Promise<OpenBundle> {
  const pins = (await site.records.read())?.trust ?? [];
  const authorize = pins.length > 0 ? authorizeBy(trustedByPins(pinnedOf(pins))) : await authorizeFrom(context, flags);
  return openBundle(at(context, file), { authorize, signal: context.signal });
}

async function rollback(context: CliContext, to: string | undefined, flags: RollbackFlags): Promise<number | undefined> {
  const site = await kubernetesRelease(context, flags);
  const { restoreDatabase = false, dataIsSavedElsewhere = false, forceConflicts = false, ownerSuspended = false } = flags;
  const options = { to, restoreDatabase, dataIsSavedElsewhere, forceConflicts, ownerSuspended };
  if (flags.plan) return withRollbackFacts(site, options, async ({ plan }) => showPlan(context, plan));
  const done = await helmRollback(site, {
    ...options,
    timeoutSeconds: flags.timeout,
    consent: (plan) => agreed(context, helmPlanText(plan), `Roll ${site.release} back?`, flags.yes),
  });
  context.result(
    {
      schema: 'airdock.helm-rollback/1',
      release: site.release,
      namespace: flags.namespace,
      from: done.from,
      current: done.to,
      transaction: done.transaction,
      revision: done.revision,
      keptDatabase: done.database,
      leftAside: done.leftAside,
    },
    `${done.to} is serving, as revision ${done.revision}.\n${done.database === null ? '' : `The previous database is kept as ${done.database}.\n`}`,
  );
  return undefined;
}

async function agreed(context: CliContext, text: string, question: string, yes: boolean | undefined): Promise<void> {
  if (await consent(context, text, question, yes)) return;
  throw consentRefused();
}

async function resume(context: CliContext, flags: ResumeFlags): Promise<void> {
  const resumed = await helmResume(await kubernetesRelease(context, flags), {
    consent: (text) => agreed(context, text, 'Is it certain that nobody is working on it?', flags.yes),
  });
  const text = resumed
    ? `Transaction ${resumed.transaction} (${resumed.kind} ${resumed.to}) had been interrupted and was ${resumed.outcome === 'done' ? 'finished' : 'rolled back'}.\n`
    : 'Nothing was interrupted.\n';
  context.result(
    { schema: 'airdock.helm-resume/1', release: flags.release, namespace: flags.namespace, resumed: resumed ?? null },
    text,
  );
}

async function status(context: CliContext, flags: ClusterFlags): Promise<number | undefined> {
  const document = await helmStatus(await kubernetesRelease(context, flags));
  context.result(document, helmStatusText(document));
  return document.drift.length > 0 ? exitCodes.DRIFT : undefined;
}

async function history(context: CliContext, flags: ClusterFlags): Promise<void> {
  const document = await helmHistory(await kubernetesRelease(context, flags));
  context.result(document, helmHistoryText(document));
}

function several(file: string, all: string[]): string[] {
  return [...all, file];
}

function positive(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number above 0.');
}
