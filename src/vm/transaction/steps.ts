import type { StepId } from '../plan/order.ts';
import type { Step } from './step.ts';
import { backup } from './steps/backup.ts';
import { copy } from './steps/copy.ts';
import { databaseService } from './steps/database-service.ts';
import { dependencies } from './steps/dependencies.ts';
import { external } from './steps/external.ts';
import { good } from './steps/good.ts';
import { health } from './steps/health.ts';
import { importStep } from './steps/import.ts';
import { load } from './steps/load.ts';
import { migrate } from './steps/migrate.ts';
import { quiesce } from './steps/quiesce.ts';
import { rehearse } from './steps/rehearse.ts';
import { restore } from './steps/restore.ts';
import { swap } from './steps/swap.ts';
import { switchStep } from './steps/switch.ts';
import { traffic } from './steps/traffic.ts';
import { up } from './steps/up.ts';

/** Every step that a transaction may have; plan/order.ts has their order. */
export const steps: { [Id in StepId]: Step & { id: Id } } = {
  import: importStep,
  load,
  backup,
  rehearse,
  restore,
  quiesce,
  copy,
  swap,
  switch: switchStep,
  dependencies,
  migrate,
  'database-service': databaseService,
  up,
  health,
  good,
  traffic,
  external,
};
