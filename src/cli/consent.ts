import { AirdockError } from '../errors.ts';
import type { CliContext } from './context.ts';

/**
 * Shows what is about to happen and asks for consent.
 * @throws CONSENT_NEEDED when there is no terminal to ask on
 */
export async function consent(context: CliContext, text: string, question: string, yes: boolean | undefined): Promise<boolean> {
  if (!context.json) context.stderr.write(text);
  if (yes) return true;
  if (!context.prompt)
    throw new AirdockError('CONSENT_NEEDED', 'this changes the deployment, and there is no terminal to ask on', {
      hint: 'Look at the plan (--plan, or airdock plan), then add --yes.',
    });
  return /^y(es)?$/i.test((await context.prompt.line(`${question} [y/N] `)).trim());
}
