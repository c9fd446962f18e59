import type { Plan } from '../../vm/plan/document.ts';
import { stopSeconds } from '../../vm/plan/plan.ts';
import { restoreLines } from '../../vm/plan/restore-text.ts';
import { bytesText } from '../../units.ts';

/** The plan as text for the operator. */
export function planText(plan: Plan): string {
  const lines = [`${plan.product} ${plan.from === null ? '(nothing)' : plan.from} -> ${plan.to}`];
  const line = (label: string, text: string): void => void lines.push(`  ${label.padEnd(11)} ${text}`);
  if (plan.kind !== 'install') {
    line('migration', [plan.class, ...plan.summaries].join('. '));
    line('', servingText(plan));
  }
  for (const [label, text] of restoreLines(plan)) line(label, text);
  if (plan.unsavedData) line('data', unsavedText(plan));
  if (plan.redis) line(plan.redis.service, redisText(plan.redis.effect));
  line(
    'images',
    `${plan.images.filter((image) => image.action === 'load').length} new of ${plan.images.length}, ${bytesText(plan.read.bytes)} to read`,
  );
  for (const image of plan.images.filter((one) => one.private))
    line('', `${image.reference} as ${image.name}: others on this host may use the original name`);
  if (plan.database)
    line(
      'database',
      `${plan.database.name} on ${plan.database.service} (${plan.database.server}), ${bytesText(plan.database.bytes)}`,
    );
  if (plan.backup) line('', backupText(plan));
  for (const key of plan.env.add) line('.env', `+ ${key}${plan.env.generated.includes(key) ? '   (generated)' : ''}`);
  for (const key of plan.env.missing) line('.env', `! ${key}   required, not set`);
  if (plan.recreated.length > 0) line('recreated', plan.recreated.join(', '));
  if (plan.removed.length > 0) line('removed', plan.removed.join(', '));
  for (const disk of plan.disk) line('disk', `${disk.path} needs ${bytesText(disk.total)}, free ${bytesText(disk.free)}`);
  const seconds = plan.steps.reduce((sum, step) => sum + step.estimate, 0);
  line('steps', `${plan.steps.map((step) => step.id).join(', ')}; about ${Math.ceil(seconds)} s (estimate)`);
  line('rollback', plan.rollback);
  for (const finding of plan.findings) lines.push(`  ! ${finding.text}`, `      ${finding.fix}`);
  if (plan.findings.length > 0)
    lines.push(`${plan.findings.length} ${plan.findings.length === 1 ? 'thing' : 'things'} to settle before this can run.`);
  return `${lines.join('\n')}\n`;
}

function servingText(plan: Plan): string {
  const database = plan.steps.some((step) => step.id === 'database-service');
  return `the old version serves until its containers are replaced: a stop of about ${stopSeconds(plan.steps)} s (estimate)${database ? '; the database restarts' : ''}`;
}

/** What becomes of data that airdock does not save, on a way across an irreversible migration. */
export function unsavedText({ kind, to }: Pick<Plan, 'kind' | 'to'>): string {
  return kind === 'rollback'
    ? `airdock has none of it: the data of ${to} must be back in place before this begins`
    : 'airdock saves none of it: a way back takes your own backup';
}

function redisText(effect: 'emptied' | 'stays'): string {
  return effect === 'emptied'
    ? 'is emptied: it is a cache of the database that is replaced'
    : 'stays as it is: its entries may refer to rows that only the current database has';
}

function backupText({ backup, steps }: Plan): string {
  const services = backup?.with.length ? ` with ${backup.with.join(', ')}` : '';
  const seconds = (id: string) => `about ${Math.ceil(steps.find((step) => step.id === id)?.estimate ?? 0)} s`;
  if (!backup?.proven) return `backup${services} ${seconds('backup')}; it stays unproven, and the migration is not rehearsed`;
  return `backup${services} ${seconds('backup')}, proven by a restore and the migration rehearsed on it, ${seconds('rehearse')} (estimates)`;
}
