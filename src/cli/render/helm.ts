import type { HelmPlan } from '../../kubernetes/plan/plan.ts';
import type { HelmHistory, HelmStatus } from '../../kubernetes/commands/status.ts';
import { differenceLines } from '../../data/postgres/compare/table-differences.ts';
import { unsavedText } from './plan.ts';
import { bytesText } from '../../units.ts';
import { flagsOf } from '../../kubernetes/record/site.ts';

/** Documents of `airdock helm` as an operator reads them. */

export function helmPlanText(plan: HelmPlan): string {
  return plan.kind === 'rollback' ? rollbackText(plan) : upgradeText(plan);
}

function upgradeText(plan: HelmPlan): string {
  const lines = [`${plan.product} ${plan.from ?? '(nothing)'} -> ${plan.to}, release ${plan.release} in ${plan.namespace}`];
  const line = (label: string, text: string): void => void lines.push(`  ${label.padEnd(11)} ${text}`);
  line('migration', plan.class);
  line(
    '',
    plan.from === null
      ? 'nothing serves yet'
      : plan.stops.length === 0
        ? 'the old version serves until its pods are replaced'
        : `${plan.stops.join(', ')} stop while the database changes`,
  );
  if (plan.database)
    line(
      'database',
      `${plan.database.name} in ${plan.database.place}${plan.database.bytes === null ? '' : `, ${bytesText(plan.database.bytes)}`}`,
    );
  if (plan.unsavedData) line('data', unsavedText(plan));
  line('steps', plan.steps.join(', '));
  line('rollback', plan.rollback);
  for (const { text, fix } of plan.findings) lines.push(`  ! ${text}`, `      ${fix}`);
  return `${lines.join('\n')}\n`;
}

function rollbackText(plan: HelmPlan): string {
  const lines = [`${plan.product} ${plan.from} -> ${plan.to}, release ${plan.release} in ${plan.namespace}`];
  const line = (label: string, text: string): void => void lines.push(`  ${label.padEnd(11)} ${text}`);
  line('code', `of helm revision ${plan.toRevision}`);
  if (plan.unsavedData) line('data', unsavedText(plan));
  else if (plan.comesBack === null) line('database', 'stays as it is; the old code runs on it');
  else {
    line('comes back', plan.comesBack);
    line('kept aside', 'the current database: rows written since then stay in it and are no longer served');
    for (const text of plan.since ? differenceLines(plan.since) : ['these rows could not be counted']) line('', `  ${text}`);
    line('', `${plan.stops.join(', ')} stop while the databases are swapped`);
  }
  line('steps', plan.steps.join(', '));
  line('forward', plan.rollback);
  for (const { text, fix } of plan.findings) lines.push(`  ! ${text}`, `      ${fix}`);
  return `${lines.join('\n')}\n`;
}

export function helmStatusText(status: HelmStatus): string {
  const lines = [
    `${status.product ?? status.release} ${status.current ?? 'is not installed'} (revision ${status.revision ?? '–'}, ${status.helm ?? 'none'}) in ${status.namespace}`,
  ];
  const width = Math.max(0, ...status.workloads.map(({ name }) => name.length));
  for (const { name, image, wanted, ready } of status.workloads)
    lines.push(`  ${name.padEnd(width)}  ${ready}/${wanted ?? '–'}  ${image}`);
  for (const text of status.drift) lines.push(`  ! ${text}`);
  if (status.interrupted)
    lines.push(
      `  ! ${status.interrupted.kind} to ${status.interrupted.to} by ${status.interrupted.operator} since ${status.interrupted.since} is not finished. If nobody is working on it: airdock helm resume ${flagsOf({ release: status.release, kubectl: status })}`,
    );
  for (const { name, release, keptAt } of status.keptDatabases) lines.push(`  kept: ${name}, of ${release}, since ${keptAt}`);
  const ways = {
    code: 'code only',
    database: 'with its database',
    'own-data': 'once you have put its data back',
    none: '',
  };
  for (const { version, rollback } of status.releases)
    if (rollback !== 'none') lines.push(`  back to ${version}: ${ways[rollback]}`);
  return `${lines.join('\n')}\n`;
}

export function helmHistoryText({ history }: HelmHistory): string {
  const rows = history.flatMap((one) => {
    const { kind, error } = one;
    const did =
      kind === null
        ? [`helm: ${one.description ?? one.status ?? ''}`]
        : [
            kind,
            one.class,
            one.outcome ?? 'under way',
            `by ${one.operator}`,
            one.backup === null ? null : `backup ${one.backup}`,
            kind === 'upgrade' && !one.rehearsed ? 'not rehearsed' : null,
          ];
    const row = [one.revision ?? '–', one.at.slice(0, 19).replace('T', ' '), one.version, ...did.filter((word) => word !== null)];
    return [row.join('  '), ...(error === null ? [] : [`     ${error.split('\n')[0]}`])];
  });
  return `${rows.join('\n')}\n`;
}
