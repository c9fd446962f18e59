import { z } from 'zod';
import { AirdockError, type ErrorCode, exitCodes, isAirdockError } from '../errors.ts';

/**
 * Every code that a finding may have, on a VM and on Kubernetes, with what it means. The operator's book (docs/OPERATIONS.md,
 * section 5) has the same sentences, and what to do.
 */
export const findingCodes = {
  // values and flags
  VALUE_MISSING: 'A required variable has no value.',
  USAGE: 'A flag asks for what is not needed here.',
  RESTORE_DATABASE_NEEDED: 'The older release does not run on the schema of the database, so the database must go back too.',
  // the way from the installed release to the other one
  PRODUCT_MISMATCH: 'The bundle is of another product than the one that is installed here.',
  PLATFORM_MISMATCH: 'The bundle is for another platform than this engine.',
  UPGRADE_PATH_REFUSED: 'The release does not upgrade directly from the one that is installed.',
  DOWNGRADE_REFUSED: 'The release is older than this deployment allows.',
  DATA_NOT_SAVED: 'The release declares no database, so airdock saves none of its data across an irreversible migration.',
  ROLLBACK_REFUSED: 'A rollback to this release is not possible.',
  // what is installed
  ADOPTION_NEEDED: 'The deployment here was not made by airdock.',
  DRIFT: 'Somebody changed files or containers of the installed release by hand.',
  ENV_INVALID: 'A line of .env cannot be read.',
  COMPOSE_INVALID: 'Compose cannot read the files of this deployment.',
  COMPOSE_RENDER: 'Compose cannot read the new compose.yaml together with the files of this deployment.',
  SERVICE_NOT_RUNNING: 'A service of the installed release does not run, or is unhealthy.',
  // this machine
  PREFLIGHT_FAILED: 'A program that airdock needs, or a service with the tools of the database, is missing.',
  ENGINE_TOO_OLD: 'The Docker Engine is older than the release needs.',
  COMPOSE_TOO_OLD: 'The compose plugin is older than the release needs.',
  COMPOSE_UNAVAILABLE: 'The compose plugin of Docker is missing, or does not work.',
  DISK_FULL: 'A file system has less free space than is needed.',
  PORT_IN_USE: 'Another program uses a port that the release publishes.',
  // images
  BLOB_MISSING: 'The bundle leaves out content that the store does not have.',
  IMAGE_UNRESOLVED: 'A service or a workload names an image that cannot be found.',
  IMAGE_NAME_TAKEN: 'Containers run another image under a name of the release.',
  // the database
  DATABASE_ELSEWHERE: 'The database is on another server, and the release has no image with the tools to back it up.',
  DATABASE_UNREACHABLE: 'The database was not found, or does not answer.',
  DATABASE_AUTH: 'The database refuses the user or the password.',
  DATABASE_MISSING: 'The server has no database of that name.',
  POSTGRES_MAJOR: 'PostgreSQL has another major version than the release needs.',
  DATABASE_RIGHTS: 'The user of the application may not create and rename databases.',
  DATABASE_PREPARED_TRANSACTIONS: 'The database has prepared transactions, so it cannot be copied or renamed.',
  DATABASE_SLOTS: 'The database has logical replication slots, which would stay with the kept database after a swap.',
  COLLATION_VERSION: 'The database was made with another version of the collations than the server has now.',
  TRAFFIC_DEPENDENCY: 'A service starts a service that lets users in, so the release cannot be tested without users.',
  TRAFFIC_PORT: 'A service that writes to the database publishes a port, so users could come in too early.',
  // Kubernetes
  LOCKED: 'helm is at work on this release, or was killed.',
  OWNED_BY_ANOTHER: 'A controller, an autoscaler or a person set a field that airdock would change.',
  CHART_UNLABELLED: 'The schema changes, and with these values the chart has no migration Job.',
  SECRET_MISSING: 'A Secret that the pods need, or a key in it, is missing.',
  CLUSTER_FORBIDDEN: 'A right in the cluster is missing.',
} as const satisfies Record<string, string>;

export type FindingCode = keyof typeof findingCodes;

export const findingSchema = z.strictObject({
  code: z.enum(Object.keys(findingCodes) as FindingCode[]),
  text: z.string(),
  fix: z.string(),
});
/** A reason why a plan cannot be carried out, and its remedy. */
export type Finding = z.infer<typeof findingSchema>;

/** Makes a finding of an error in a check. @throws the error, when no finding may have its code */
export function findingOf(error: unknown): Finding {
  if (!isAirdockError(error) || !isFindingCode(error.code)) throw error;
  return { code: error.code, text: error.message, fix: error.hint ?? '' };
}

/**
 * The error code of a refused plan: the common code of all findings, if it has an exit code of its own, or else PREFLIGHT_FAILED.
 * @returns undefined when there are no findings
 */
export function refusalCode(findings: readonly Pick<Finding, 'code'>[]): ErrorCode | undefined {
  const [first] = findings;
  if (!first) return undefined;
  return isErrorCode(first.code) && findings.every(({ code }) => code === first.code) ? first.code : 'PREFLIGHT_FAILED';
}

/**
 * Throws all findings in one error.
 * @param facts further details for `--json`
 * @throws AirdockError with the code of `refusalCode`
 */
export function assertNoFinding(findings: readonly Finding[], facts: Record<string, unknown> = {}): void {
  const code = refusalCode(findings);
  if (code === undefined) return;
  throw new AirdockError(code, findings.map(({ text }) => text).join('\n'), {
    hint: [...new Set(findings.map(({ fix }) => fix))].join('\n'),
    details: { findings, ...facts },
  });
}

function isFindingCode(code: string): code is FindingCode {
  return Object.hasOwn(findingCodes, code);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(exitCodes, code);
}
