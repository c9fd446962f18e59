import type { HelmPlan } from '../../cluster/plan.ts';
import type { HelmHistory, HelmStatus } from '../../cluster/status.ts';
import { bytesText } from '../../units.ts';
import { flagsOf } from '../../cluster/site.ts';

/** Documents of `airdock helm` as an operator reads them. */

export function helmPlanText(plan: HelmPlan): string {
  const lines = [`${plan.product} ${plan.from ?? '(nothing)'} -> ${plan.to}, release ${plan.release} in ${plan.namespace}`];
  const line = (label: string, text: string): void => void lines.push(`  ${label.padEnd(11)} ${text}`);
  line('migration', plan.class);
  line(
    '',
    plan.stops.length === 0
      ? 'the old version serves until its pods are replaced'
      : `${plan.stops.join(', ')} stop while the database changes`,
  );
  if (plan.database)
    line(
      'database',
      `${plan.database.name} in ${plan.database.place}${plan.database.bytes === null ? '' : `, ${bytesText(plan.database.bytes)}`}`,
    );
  line('steps', plan.steps.join(', '));
  line('rollback', plan.rollback);
  for (const { text, fix } of plan.findings) lines.push(`  ! ${text}`, `      ${fix}`);
  return `${lines.join('\n')}\n`;
}

export function helmStatusText(status: HelmStatus): string {
  const lines = [
    `${status.product ?? status.release} ${status.current ?? 'is not installed'} (revision ${status.revision ?? '–'}, ${status.helm ?? 'none'}) in ${status.namespace}`,
  ];
  for (const { name, image, wanted, ready } of status.workloads) lines.push(`  ${name}  ${ready}/${wanted ?? '–'}  ${image}`);
  for (const text of status.drift) lines.push(`  ! ${text}`);
  if (status.interrupted)
    lines.push(
      `  ! ${status.interrupted.kind} to ${status.interrupted.to} by ${status.interrupted.operator} since ${status.interrupted.since} is not finished. Is nobody at work on it: airdock helm resume ${flagsOf({ release: status.release, kubectl: status })}`,
    );
  for (const { name, release, keptAt } of status.keptDatabases) lines.push(`  kept: ${name}, of ${release}, since ${keptAt}`);
  const ways = { code: 'by code alone', database: 'with its database', none: '' };
  for (const { version, rollback } of status.releases)
    if (rollback !== 'none') lines.push(`  back to ${version}: ${ways[rollback]}`);
  return `${lines.join('\n')}\n`;
}

export function helmHistoryText({ history }: HelmHistory): string {
  const rows = history.map((one) =>
    [
      one.revision ?? '–',
      one.at,
      one.version,
      one.kind ?? 'helm',
      one.class ?? '',
      one.outcome ?? one.status ?? '',
      one.operator ?? '',
      one.backup ?? '',
    ].join('  '),
  );
  return `${rows.join('\n')}\n`;
}
