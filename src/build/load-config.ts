import { statSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { AirdockError, exitCodes, isAirdockError } from '../errors.ts';
import { bundleConfig, defineBundle, type ResolvedConfig } from './config.ts';
import { keyPosition } from './key-position.ts';
import { resolvePlaceholders } from './placeholders.ts';

export type LoadedConfig = {
  /** Absolute. */
  path: string;
  /** The directory that paths in the configuration are relative to. */
  directory: string;
  /** With `${version}` resolved. */
  config: ResolvedConfig;
};

/**
 * What `import … from 'airdock'` gives to a configuration: a module made in memory, with the running program's own values,
 * because an executable has no file to import (docs/adr/0006). The same names as `src/index.ts`.
 */
export const publicValues = { defineBundle, AirdockError, exitCodes };
const publicUrl = 'airdock:public';
const globalKey = Symbol.for(publicUrl);
const publicSource = [
  `const values = globalThis[Symbol.for('${publicUrl}')];`,
  ...Object.keys(publicValues).map((name) => `export const ${name} = values.${name};`),
].join('\n');

/**
 * Runs `bundle.config.ts` and checks what it exports. No network, no docker.
 * `require` of an ES module: a plain `import()` of a file fails in the executable (docs/FACTS.md "The single executable").
 * @throws AirdockError CONFIG_NOT_LOADABLE, CONFIG_INVALID, FILE_NOT_FOUND
 */
export function loadConfig(path: string, version: string): LoadedConfig {
  const absolute = resolve(path);
  const exported = evaluate(absolute);
  if (exported === undefined) {
    throw new AirdockError('CONFIG_NOT_LOADABLE', `${absolute} has no default export`, {
      hint: "Write: import { defineBundle } from 'airdock'; export default defineBundle({ … });",
    });
  }
  const parsed = bundleConfig.safeParse(resolvePlaceholders(exported, version));
  if (!parsed.success) throw invalid(absolute, parsed.error);
  return { path: absolute, directory: dirname(absolute), config: parsed.data };
}

function evaluate(path: string): unknown {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new AirdockError('FILE_NOT_FOUND', `there is no configuration ${path}`, {
      hint: 'Run airdock build in the directory of bundle.config.ts, or name the file with --config.',
    });
  }
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'airdock' ? { url: publicUrl, format: 'module', shortCircuit: true } : next(specifier, context),
    load: (url, context, next) =>
      url === publicUrl ? { format: 'module', source: publicSource, shortCircuit: true } : next(url, context),
  });
  Object.defineProperty(globalThis, globalKey, { value: publicValues, configurable: true });
  try {
    return (createRequire(pathToFileURL(path))(path) as { default?: unknown }).default;
  } catch (error) {
    if (isAirdockError(error)) throw error;
    throw notLoadable(path, error);
  } finally {
    hooks.deregister();
  }
}

function notLoadable(path: string, error: unknown): AirdockError {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const message = error instanceof Error ? error.message.trim() : String(error);
  // A syntax error's stack begins with `FILE:LINE`, a thrown error's has `at … (file:///FILE:LINE:COLUMN)`.
  const line = [...stack.matchAll(/([^\s()]+?):(\d+)(?::\d+)?\)?$/gm)].find(
    ([, file]) => file?.replace(/^file:\/\//, '') === path,
  )?.[2];
  return new AirdockError('CONFIG_NOT_LOADABLE', `${path}${line === undefined ? '' : `:${line}`} cannot be loaded: ${message}`, {
    hint: 'Correct the file. Only its types are stripped, so TypeScript enums and decorators do not work.',
    cause: error,
  });
}

/** Every problem at once, each with its key path and, where it can be found, its line. */
function invalid(path: string, error: z.ZodError): AirdockError {
  const problems = error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => problem(path, [...issue.path, key], 'unknown key'));
    }
    return [problem(path, issue.path, describe(issue))];
  });
  return new AirdockError('CONFIG_INVALID', problems.map(({ text }) => text).join('\n'), {
    hint: 'The keys are described in docs/schemas, and by the types of defineBundle in your editor.',
    cause: error,
    details: { problems },
  });
}

type Problem = { key: string; text: string; line?: number | undefined };

function problem(path: string, keys: readonly PropertyKey[], why: string): Problem {
  const key = keys
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
  const line = keyPosition(path, keys);
  return {
    key,
    text: `${path}${line === undefined ? '' : `:${line}`} ${key || 'default export'}: ${why}`,
    line,
  };
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union') {
    const nested = issue.errors.flat();
    const deepest = nested.toSorted((a, b) => b.path.length - a.path.length)[0];
    if (deepest === undefined || deepest.path.length === 0)
      return `matches none of the allowed forms (${nested.map((one) => one.message).join('; ')})`;
    return `${deepest.path.join('.')}: ${deepest.message}`;
  }
  if (issue.code === 'invalid_type' && issue.input === undefined && /received undefined/.test(issue.message)) return 'is missing';
  return issue.message;
}
