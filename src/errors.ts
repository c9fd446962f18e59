/**
 * Every failure that is shown to a user is an AirdockError: what happened and why (message), what to do next (hint), and a
 * stable code. The code alone decides the exit code (docs/OPERATIONS.md section 5).
 */

export const exitCodes = {
  // 1: a defect of airdock
  INTERNAL: 1,
  // 2: usage, a missing flag or consent
  USAGE: 2,
  CONSENT_NEEDED: 2,
  TRUST_NEEDED: 2,
  VALUE_MISSING: 2,
  RESTORE_DATABASE_NEEDED: 2,
  DATA_NOT_SAVED: 2,
  SECRET_ON_COMMAND_LINE: 2,
  KEY_UNREADABLE: 2,
  IDENTITY_NEEDED: 2,
  FILE_NOT_FOUND: 2,
  // 3: configuration and build sources
  CONFIG_INVALID: 3,
  CONFIG_NOT_LOADABLE: 3,
  COMPOSE_INVALID: 3,
  CHART_INVALID: 3,
  IMAGE_INCOMPLETE: 3,
  IMAGE_UNPINNED: 3,
  IMAGE_NOT_FOUND: 3,
  IMAGE_UNSUPPORTED: 3,
  REFERENCE_INVALID: 3,
  PLATFORM_MISSING: 3,
  LAYER_TOO_LARGE: 3,
  LOCK_MISMATCH: 3,
  REGISTRY_UNAUTHORIZED: 3,
  REGISTRY_NOT_FOUND: 3,
  REGISTRY_RATE_LIMITED: 3,
  REGISTRY_UNREACHABLE: 3,
  REGISTRY_PROTOCOL: 3,
  REGISTRY_READ_ONLY: 3,
  SOURCE_CORRUPT: 3,
  INSTALLER_MISSING: 3,
  INSTALLER_INVALID: 3,
  // 4: untrusted or corrupt bundle
  BUNDLE_UNREADABLE: 4,
  BUNDLE_TRUNCATED: 4,
  BUNDLE_HEADER: 4,
  BUNDLE_ORDER: 4,
  BUNDLE_ENTRY_UNKNOWN: 4,
  BUNDLE_ENTRY_DUPLICATE: 4,
  BUNDLE_ENTRY_MISSING: 4,
  BUNDLE_ENTRY_UNLISTED: 4,
  BUNDLE_ENTRY_TOO_LARGE: 4,
  BUNDLE_PADDING: 4,
  BUNDLE_TRAILING_DATA: 4,
  BUNDLE_SIZE_MISMATCH: 4,
  BUNDLE_DIGEST_MISMATCH: 4,
  BUNDLE_SUMS_INVALID: 4,
  BUNDLE_MANIFEST_INVALID: 4,
  BUNDLE_LAYOUT_INVALID: 4,
  BUNDLE_FORMAT_UNKNOWN: 4,
  SIGNATURE_INVALID: 4,
  SIGNATURE_MALFORMED: 4,
  KEY_NOT_TRUSTED: 4,
  KEY_REVOKED: 4,
  TRUST_INVALID: 4,
  TRUST_FORKED: 4,
  STORE_CORRUPT: 4,
  EXECUTABLE_MISMATCH: 4,
  // 5: host or path not ready
  PREFLIGHT_FAILED: 5,
  PRODUCT_MISMATCH: 5,
  PLATFORM_MISMATCH: 5,
  DOWNGRADE_REFUSED: 5,
  UPGRADE_PATH_REFUSED: 5,
  ROLLBACK_REFUSED: 5,
  DRIFT: 5,
  ADOPTION_NEEDED: 5,
  ADOPTION_REFUSED: 5,
  DIRECTORY_UNSAFE: 5,
  NOT_A_DEPLOYMENT: 5,
  ENV_INVALID: 5,
  ENGINE_UNREACHABLE: 5,
  DATABASE_UNREACHABLE: 5,
  DATABASE_AUTH: 5,
  DATABASE_MISSING: 5,
  COMPOSE_UNAVAILABLE: 5,
  BLOB_MISSING: 5,
  DISK_FULL: 5,
  DISK_FAILED: 5,
  SCRATCH_FAILED: 5,
  DATABASE_IMAGE_UNFIT: 5,
  CLUSTER_UNREACHABLE: 5,
  CLUSTER_FORBIDDEN: 5,
  CHART_UNLABELLED: 5,
  OWNED_BY_ANOTHER: 5,
  STATE_TOO_NEW: 5,
  // 6: failed, the previous state was kept or brought back
  STEP_FAILED: 6,
  IMPORT_FAILED: 6,
  LOAD_FAILED: 6,
  BACKUP_FAILED: 6,
  BACKUP_DAMAGED: 6,
  BACKUP_UNPROVEN: 6,
  RESTORE_FAILED: 6,
  MIGRATION_FAILED: 6,
  UP_FAILED: 6,
  HEALTH_FAILED: 6,
  FIELD_CONFLICT: 6,
  // 7: failed, a person must decide
  UNDO_FAILED: 7,
  OPEN_BUT_UNHEALTHY: 7,
  // 8: locked
  LOCKED: 8,
  // 130: interrupted and undone
  INTERRUPTED: 130,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof exitCodes;

export type AirdockErrorOptions = {
  /** What to do next, one or more sentences in the words of the documentation. */
  hint?: string | undefined;
  cause?: unknown;
  /** Facts for `--json`; never secrets. */
  details?: Record<string, unknown> | undefined;
};

/** @example throw new AirdockError('LOCKED', 'another airdock works on /opt/nodepad', { hint: 'Wait for it to end.' }) */
export class AirdockError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: AirdockErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'AirdockError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/** True for an AirdockError, with that code when one is given. */
export function isAirdockError(error: unknown, code?: ErrorCode): error is AirdockError {
  return error instanceof AirdockError && (code === undefined || error.code === code);
}

/** Somebody was asked and said no, or nobody could be asked. */
export function consentRefused(): AirdockError {
  return new AirdockError('CONSENT_NEEDED', 'nothing was changed', { hint: 'Answer y, or add --yes.' });
}

/** What was thrown, as text: an error's message, anything else as it is. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system code of an error (`ENOENT`, `ENOSPC`), if it has one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** DISK_FULL or DISK_FAILED for an error of the disk, undefined for any other error. A disk error is not a defect of airdock. */
export function diskFailure(error: unknown): AirdockError | undefined {
  const code = systemCode(error) ?? '';
  const message = error instanceof Error ? error.message : '';
  if (['ENOSPC', 'EDQUOT'].includes(code))
    return new AirdockError('DISK_FULL', `no space left: ${message}`, {
      hint: 'Free some space on that file system and run the same command again.',
      cause: error,
    });
  if (!['EIO', 'EROFS', 'EUCLEAN'].includes(code)) return undefined;
  return new AirdockError('DISK_FAILED', `the disk failed: ${message}`, {
    hint: 'Check dmesg and the disk. When the disk works again, run the same command: it continues where it stopped.',
    cause: error,
  });
}
