import { bundleManifest } from '../../bundle/manifest.ts';
import { adoptDocument } from '../../vm/adopt/document.ts';
import {
  backupCreateDocument,
  backupListDocument,
  backupPruneDocument,
  backupRecipientsDocument,
  backupRestoreDocument,
  backupVerifyDocument,
} from '../../vm/commands/backup-documents.ts';
import { helmPlanDocument } from '../../kubernetes/plan/plan.ts';
import { helmHistoryDocument, helmStatusDocument } from '../../kubernetes/commands/status.ts';
import { historyDocument } from '../../vm/commands/history.ts';
import { planDocument } from '../../vm/plan/document.ts';
import { statusDocument } from '../../vm/commands/status.ts';
import { supportBundleDocument } from '../../vm/commands/support-bundle.ts';
import { trustListDocument } from '../../vm/commands/trust-documents.ts';
import { trustDocument } from '../../bundle/trust.ts';
import { buildDocument } from './build.ts';
import { errorDocument } from './error.ts';
import { helmPrepareDocument, helmResumeDocument, helmRollbackDocument, helmUpgradeDocument } from './helm.ts';
import { inspectDocument } from './inspect.ts';
import { keygenDocument } from './keygen.ts';
import { licensesDocument } from './licenses.ts';
import { installDocument, resumeDocument, rollbackDocument } from './outcome.ts';
import { pushDocument } from './push.ts';
import { signDocument } from './sign.ts';
import { trustRotateDocument } from './trust-rotate.ts';
import { verifyDocument } from './verify.ts';
import { versionDocument } from './version.ts';

/** Every JSON document of airdock; `node scripts/schemas.ts` publishes them in docs/schemas/. To add one: a line here. */
export const documents = {
  adopt: adoptDocument,
  'backup-create': backupCreateDocument,
  'backup-list': backupListDocument,
  'backup-prune': backupPruneDocument,
  'backup-recipients': backupRecipientsDocument,
  'backup-restore': backupRestoreDocument,
  'backup-verify': backupVerifyDocument,
  build: buildDocument,
  bundle: bundleManifest,
  error: errorDocument,
  'helm-history': helmHistoryDocument,
  'helm-plan': helmPlanDocument,
  'helm-prepare': helmPrepareDocument,
  'helm-resume': helmResumeDocument,
  'helm-rollback': helmRollbackDocument,
  'helm-status': helmStatusDocument,
  'helm-upgrade': helmUpgradeDocument,
  history: historyDocument,
  inspect: inspectDocument,
  install: installDocument,
  keygen: keygenDocument,
  licenses: licensesDocument,
  plan: planDocument,
  push: pushDocument,
  resume: resumeDocument,
  rollback: rollbackDocument,
  sign: signDocument,
  status: statusDocument,
  'support-bundle': supportBundleDocument,
  trust: trustDocument,
  'trust-list': trustListDocument,
  'trust-rotate': trustRotateDocument,
  verify: verifyDocument,
  version: versionDocument,
};
