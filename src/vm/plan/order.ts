import type { MigrationClass } from '../../bundle/manifest.ts';

/**
 * The steps that a transaction may have (docs/adr/0001-transaction.md). A new step gets its id here, its place in `stepsOf`, and
 * everything else in a file in transaction/steps/.
 */
export const stepIds = [
  'import',
  'load',
  'backup',
  'rehearse',
  'restore',
  'quiesce',
  'copy',
  'swap',
  'switch',
  'dependencies',
  'migrate',
  'database-service',
  'up',
  'health',
  'good',
  'traffic',
  'external',
] as const;
export type StepId = (typeof stepIds)[number];

/** The steps of a transaction, in the order in which they run. */
export function stepsOf(
  kind: 'install' | 'upgrade' | 'rollback',
  pathClass: MigrationClass | 'unknown',
  options: {
    database: boolean;
    recreatesDatabase: boolean;
    hasData: boolean;
    rehearse: boolean;
    /** The database that a rollback puts in place: a kept one, or a backup that has to be restored first. */
    restore?: { kept: string | null } | null;
  },
): StepId[] {
  const database: StepId[] = options.recreatesDatabase ? ['database-service'] : [];
  const opened: StepId[] = ['traffic', 'external'];
  if (kind === 'rollback' && options.restore) {
    const restore: StepId[] = options.restore.kept === null ? ['restore'] : [];
    return ['load', ...restore, 'quiesce', 'swap', 'switch', ...database, 'up', 'health', 'good', ...opened];
  }
  if (kind === 'rollback') return ['load', 'switch', ...database, 'up', 'health', 'good'];
  const backup: StepId[] = options.database ? ['backup'] : [];
  if (kind === 'install') {
    // an earlier try of the first install may have left rows in the volumes
    const prepare: StepId[] = options.database ? [...(options.hasData ? backup : []), 'migrate'] : [];
    return ['import', 'load', 'switch', 'dependencies', ...prepare, 'up', 'health', 'good'];
  }
  const rehearse: StepId[] = options.database && options.rehearse ? ['rehearse'] : [];
  if (options.database && pathClass === 'irreversible') {
    const across: StepId[] = ['quiesce', 'copy', 'migrate', 'swap'];
    return ['import', 'load', ...backup, ...rehearse, ...across, 'switch', ...database, 'up', 'health', 'good', ...opened];
  }
  const migrate: StepId[] = options.database && pathClass !== 'none' ? ['migrate'] : [];
  return ['import', 'load', ...backup, ...rehearse, ...migrate, 'switch', ...database, 'up', 'health', 'good'];
}

export function hasStep({ steps }: { steps: readonly { id: StepId }[] }, id: StepId): boolean {
  return steps.some((step) => step.id === id);
}
