import { AirdockError, diskFailure, errorText as textOf } from '../../errors.ts';
import type { ErrorDocument } from '../documents/error.ts';

/** What happened, why, and what to do next; a stack only with `--debug`. */
export function errorText(error: unknown, debug: boolean): string {
  const known = asAirdockError(error);
  const lines = [`Error: ${known.message}`];
  for (const reason of reasons(known)) lines.push(`  because ${reason}`);
  if (known.hint !== undefined) lines.push(`Next: ${known.hint}`);
  if (debug) lines.push('', ...stacks(error));
  return `${lines.join('\n')}\n`;
}

export function errorDocument(error: unknown): ErrorDocument {
  const { code, message, hint, exitCode, details } = asAirdockError(error);
  return {
    schema: 'airdock.error/1',
    code,
    exitCode,
    message,
    hint,
    details,
  };
}

/** Aborted work becomes INTERRUPTED, a failed write DISK_FULL or DISK_FAILED; any other foreign error is a defect of airdock. */
function asAirdockError(error: unknown): AirdockError {
  if (error instanceof AirdockError) return error;
  const disk = diskFailure(error);
  if (disk) return disk;
  const message = textOf(error);
  if (error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR'))) {
    // The reason of the abort signal, when it is an AirdockError.
    return error.cause instanceof AirdockError ? error.cause : new AirdockError('INTERRUPTED', 'interrupted', { cause: error });
  }
  return new AirdockError('INTERNAL', `airdock failed unexpectedly: ${message}`, {
    hint: 'Run the same command with --debug and send the output to the authors of airdock.',
  });
}

/** The messages of up to three causes, without repetition. */
function reasons(error: AirdockError): string[] {
  const texts: string[] = [];
  for (let cause = error.cause; cause instanceof Error && texts.length < 3; cause = cause.cause) {
    const text = cause.message.trim().split('\n').slice(0, 10).join('\n          ');
    if (text !== '' && !error.message.includes(text) && !texts.includes(text)) texts.push(text);
  }
  return texts;
}

function stacks(error: unknown): string[] {
  const texts: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) {
    texts.push((texts.length === 0 ? '' : 'caused by ') + (current.stack ?? current.message));
  }
  return texts;
}
