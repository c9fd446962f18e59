import type { Command } from 'commander';
import { AirdockError } from '../../errors.ts';
import type { Act, CliContext } from '../context.ts';
import type { LicensesDocument } from '../documents/licenses.ts';

export function declare(command: Command, act: Act): void {
  command
    .description('Shows the licences of airdock, of Node and of every package that is in this program.')
    .action(act((context) => licenses(context)));
}

async function licenses(context: CliContext): Promise<void> {
  const text = context.self.licenses();
  if (text === undefined) {
    throw new AirdockError('FILE_NOT_FOUND', 'the licences are collected when the executable is built, and none was built here', {
      hint: 'Run scripts/build-installer, or use the executable of a bundle: ./airdock licenses.',
    });
  }
  const document: LicensesDocument = { schema: 'airdock.licenses/1', text };
  context.result(document, text);
}
