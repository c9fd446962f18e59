import { CommanderError, type Command } from 'commander';
import { AirdockError } from '../errors.ts';
import type { Act, CliContext, Prompt, Runtime } from './context.ts';
import { createProgram } from './program.ts';
import { errorDocument, errorText } from './render/error.ts';
import { ndjsonRenderer } from './render/ndjson.ts';
import { plainRenderer } from './render/plain.ts';
import type { Renderer } from './render/renderer.ts';

/** Runs the command that the arguments name and returns its exit code. Never throws. */
export async function runCommand(args: readonly string[], runtime: Runtime): Promise<number> {
  let exitCode = 0;
  const results: string[] = [];
  // Read before commander parses, because the errors of commander are rendered too.
  const json = args.includes('--json');
  const debug = args.includes('--debug');
  const renderer = await rendererFor(runtime, json);

  const document = (value: object): void => {
    results.push(`${JSON.stringify(value, undefined, 2)}\n`);
  };
  const context: CliContext = {
    ...runtime,
    stderr: { write: (text) => renderer.write(text) },
    prompt: runtime.prompt && afterDrawing(runtime.prompt, renderer),
    json,
    debug,
    listener: renderer.listener,
    result(value, text) {
      if (json) document(value);
      else results.push(text);
    },
  };
  const act: Act =
    (body) =>
    async (...values) => {
      exitCode = (await body({ ...context }, ...values)) ?? 0;
    };

  try {
    const program = await createProgram(args, act);
    forEachCommand(program, (command) => {
      command.exitOverride().configureOutput({
        writeOut: (text) => void runtime.stdout.write(text),
        writeErr: (text) => renderer.write(text),
      });
    });
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      exitCode = error.exitCode === 0 ? 0 : 2;
      if (json && exitCode !== 0)
        document(errorDocument(new AirdockError('USAGE', error.message.replace(/^error: /, ''), { cause: error })));
    } else {
      exitCode = errorDocument(error).exitCode;
      if (json && results.length === 0) document(errorDocument(error));
      else renderer.write(errorText(error, debug));
    }
  }
  await renderer.flush();
  for (const text of results) runtime.stdout.write(text);
  return exitCode;
}

async function rendererFor(runtime: Runtime, json: boolean): Promise<Renderer> {
  const now = (): number => runtime.now().getTime();
  if (json) return ndjsonRenderer(runtime.stderr, now);
  if (!runtime.isTTY || runtime.env['TERM'] === 'dumb' || (runtime.env['NO_COLOR'] ?? '') !== '')
    return plainRenderer(runtime.stderr);
  const { terminalRenderer } = await import('./render/terminal.ts');
  return terminalRenderer(runtime.stderr as NodeJS.WriteStream, now, true);
}

/** Asks only when all progress is drawn: nothing may be redrawn while a person types. */
function afterDrawing(prompt: Prompt, renderer: Renderer): Prompt {
  return {
    line: async (question) => {
      await renderer.flush();
      return prompt.line(question);
    },
    secret: async (question) => {
      await renderer.flush();
      return prompt.secret(question);
    },
  };
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
