import { randomBytes } from 'node:crypto';
import { AirdockError } from '../../errors.ts';
import { type EnvEntry, type EnvFile, parseEnvFile } from './file.ts';

export type TemplateKey = {
  key: string;
  required: boolean;
  secret: boolean;
  /** The KIND of `generate=KIND`. */
  generate?: string | undefined;
  default: string;
  comments: string[];
  /** The assignment as the template has it. */
  line: string;
};

export type EnvInputs = {
  /** `--set KEY=VALUE`. Secrets are refused, because everyone on the machine can read the arguments of a process. */
  set?: Record<string, string>;
  /** Values from elsewhere: `--set-file`, a prompt, the release itself (VERSION). They take precedence over `set`. */
  given?: Record<string, string>;
  /** Makes the value for `generate=KIND`; by default with node:crypto. */
  generate?: (kind: string) => string;
};

export type NewEnv = {
  bytes: Buffer;
  /** Required keys without a value: `.env` must not be written while there are any. */
  missing: string[];
  /** Keys whose value was generated. */
  generated: string[];
};
export type MergedEnv = NewEnv & {
  /** Keys that only the template had. */
  added: string[];
  /** Keys of the operator's file whose value was changed by the inputs. */
  changed: string[];
};

const template = 'env.template';

/** The keys of a template with the markers (`# airdock: required`, `generate=KIND`, `secret`) directly above them. */
export function templateKeys(bytes: Uint8Array): TemplateKey[] {
  const file = parseEnvFile(bytes, template);
  return file.keys().map((key) => {
    file.assertOnce(key);
    const comments = file.comments(key);
    const words = comments.flatMap((line) => /^\s*#\s*airdock:\s*(.*)$/.exec(line)?.[1]?.trim().split(/\s+/) ?? []);
    const generate = words.find((word) => word.startsWith('generate='))?.slice(9);
    const unknown = words.find((word) => !['required', 'secret'].includes(word) && !word.startsWith('generate='));
    if (unknown !== undefined || (generate !== undefined && !isKind(generate))) {
      throw new AirdockError('ENV_INVALID', `${template}: unknown marker ${unknown ?? `generate=${generate}`} above ${key}`, {
        hint: 'Known are: required, secret, generate=hexN (N bytes, as 2N hex digits).',
      });
    }
    return {
      key,
      required: words.includes('required'),
      secret: words.includes('secret'),
      generate,
      default: file.get(key) ?? '',
      comments,
      line: file.line(key) ?? '',
    };
  });
}

/** Keys that a release marks as secret, or generates; none if it was adopted without a template. */
export function secretKeysOf(files: ReadonlyMap<string, Uint8Array>): Set<string> {
  const bytes = files.get(template);
  const keys = bytes === undefined ? [] : templateKeys(bytes);
  return new Set(keys.filter(({ secret, generate }) => secret || generate !== undefined).map(({ key }) => key));
}

/** Makes `.env` for a first install: the template with values. @throws SECRET_ON_COMMAND_LINE, USAGE (unknown key), ENV_INVALID */
export function renderNewEnv(bytes: Uint8Array, inputs: EnvInputs = {}): NewEnv {
  const keys = templateKeys(bytes);
  const values = valuesOf(inputs, keys, []);
  const generated: string[] = [];
  let file: EnvFile = parseEnvFile(bytes, template);
  for (const key of keys) {
    const value = values.get(key.key) ?? (key.default === '' ? generateFor(key, inputs, generated) : undefined);
    if (value !== undefined) file = file.set(key.key, value);
  }
  return { bytes: file.toBytes(), missing: missingIn(file, keys), generated };
}

/** Makes `.env` for an upgrade: keys that only the template has are appended, inputs change single values, everything else stays. */
export function mergeEnv(current: Uint8Array, bytes: Uint8Array, inputs: EnvInputs = {}): MergedEnv {
  const keys = templateKeys(bytes);
  let file = parseEnvFile(current);
  const values = valuesOf(inputs, keys, file.keys());
  const generated: string[] = [];
  const changed: string[] = [];
  for (const [key, value] of values) {
    if (file.lines(key).length === 0) continue;
    file.assertOnce(key);
    if (file.get(key) === value) continue;
    file = file.set(key, value);
    changed.push(key);
  }
  const added = keys
    .filter(({ key }) => file.lines(key).length === 0)
    .map((key): EnvEntry => {
      const value = values.get(key.key) ?? (key.default === '' ? generateFor(key, inputs, generated) : undefined);
      // A default may interpolate other keys, so it is copied as written.
      return { key: key.key, comments: key.comments, ...(value === undefined ? { line: key.line } : { value }) };
    });
  file = file.append(added);
  return { bytes: file.toBytes(), missing: missingIn(file, keys), generated, changed, added: added.map(({ key }) => key) };
}

function missingIn(file: EnvFile, keys: readonly TemplateKey[]): string[] {
  return keys.filter(({ key, required }) => required && (file.get(key) ?? '') === '').map(({ key }) => key);
}

function valuesOf(
  { set = {}, given = {} }: EnvInputs,
  keys: readonly TemplateKey[],
  others: readonly string[],
): Map<string, string> {
  const known = [...keys.map(({ key }) => key), ...others];
  const unknown = Object.keys({ ...set, ...given }).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    const near = unknown.flatMap((key) => known.filter((candidate) => isNear(key, candidate)));
    throw new AirdockError('USAGE', `${template} has no ${unknown.join(', ')}`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has: ${known.join(', ')}.`,
    });
  }
  const secret = keys.filter(({ key, secret: isSecret }) => isSecret && key in set).map(({ key }) => key);
  if (secret.length > 0) {
    throw new AirdockError('SECRET_ON_COMMAND_LINE', `${secret.join(', ')} must not be given on the command line`, {
      hint: `Everyone on this machine can read the arguments of a process. Use --set-file ${secret[0]}=FILE.`,
    });
  }
  return new Map(Object.entries({ ...set, ...given }));
}

const isKind = (kind: string) => /^hex[1-9]\d{0,2}$/.test(kind);

function generateFor({ key, generate }: TemplateKey, inputs: EnvInputs, generated: string[]): string | undefined {
  if (generate === undefined) return undefined;
  generated.push(key);
  return (inputs.generate ?? generateValue)(generate);
}

/** `hex32`: 32 random bytes as 64 hex digits. */
export function generateValue(kind: string): string {
  return randomBytes(Number(kind.slice(3))).toString('hex');
}

/** Whether two names differ by at most two letters (Levenshtein), or one contains the other. */
function isNear(a: string, b: string): boolean {
  const [x, y] = [a.toUpperCase(), b.toUpperCase()];
  if (x.length > 3 && (x.includes(y) || y.includes(x))) return true;
  let row = Array.from({ length: y.length + 1 }, (_, i) => i);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let j = 1; j <= y.length; j++) {
      const change = (row[j - 1] ?? 0) + (x[i - 1] === y[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row.at(-1) ?? 0) <= 2;
}
