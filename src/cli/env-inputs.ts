import { Option, type Command } from 'commander';
import { AirdockError } from '../errors.ts';
import type { EnvInputs } from '../vm/env/template.ts';
import type { CliContext } from './context.ts';
import { readTextFile } from './read-file.ts';

export type EnvOptions = { set: readonly string[]; setFile: readonly string[] };

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

export function addEnvOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--set <key=value>', 'a value for .env (may be given several times; not for secrets)')
        .default([], 'none')
        .argParser(collect),
    )
    .addOption(
      new Option('--set-file <key=file>', 'a value for .env from a file, for secrets (may be given several times)')
        .default([], 'none')
        .argParser(collect),
    );
}

export async function envInputs(context: CliContext, options: EnvOptions): Promise<EnvInputs> {
  const given: Record<string, string> = {};
  for (const [key, file] of options.setFile.map((text) => pair('--set-file', text)))
    given[key] = (await readTextFile(context.cwd, file, `value of ${key}`)).replace(/\r?\n$/, '');
  return { set: Object.fromEntries(options.set.map((text) => pair('--set', text))), given };
}

function pair(flag: string, text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new AirdockError('USAGE', `${flag} ${JSON.stringify(text)} is not KEY=VALUE`, { hint: `Write it as ${flag} KEY=VALUE.` });
}
