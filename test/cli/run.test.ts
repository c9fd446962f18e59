import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { errorDocument } from '../../src/cli/documents/error.ts';
import { errorDocument as documentOf, errorText } from '../../src/cli/render/error.ts';
import { AirdockError } from '../../src/errors.ts';
import { airdock } from '../helpers/cli.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the command line', () => {
  test('--help', async () => {
    const help = await airdock(['--help']);
    expect(help.code).toBe(0);
    for (const name of ['keygen', 'sign', 'verify', 'inspect']) expect(help.stdout).toContain(`  ${name} `);
    expect((await airdock(['help', 'verify'])).stdout).toContain('--trust <file>');
  });

  test('every command has help that names the global options', async () => {
    const program = await createProgram([], () => async () => {});
    expect(program.commands.length).toBeGreaterThan(3);
    for (const command of program.commands) {
      const { code, stdout } = await airdock([command.name(), '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: airdock ${command.name()}`);
      expect(stdout).toContain('--json');
    }
  });

  test.each([
    ['nothing', [], 'Usage: airdock'],
    ['an unknown command', ['verfy'], 'Did you mean verify?'],
    ['an unknown option', ['verify', 'x', '--ful'], 'Did you mean --full?'],
    ['a missing argument', ['verify'], "missing required argument 'bundle'"],
    ['too many arguments', ['verify', 'a', 'b'], 'too many arguments'],
    ['an option without its value', ['verify', 'a', '--trust'], 'argument missing'],
  ])('%s: exit 2', async (_what, args, text) => {
    const { code, stdout, stderr } = await airdock(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(text);
  });

  test('a usage error with --json is a document too', async () => {
    const { code, stdout } = await airdock(['verify', '--json']);
    expect(code).toBe(2);
    expect(errorDocument.parse(JSON.parse(stdout)).code).toBe('USAGE');
  });

  test('--debug shows the stack, nothing else does', async () => {
    const args = ['verify', 'none.tar', '--trust', 'none.pub'];
    expect((await airdock(args)).stderr).not.toContain('    at ');
    expect((await airdock([...args, '--debug'])).stderr).toContain('    at ');
  });

  test('the executable: streams, exit code, plain text when piped', () => {
    const { status, stdout, stderr } = spawnSync(`${root}bin/airdock`, ['verify', 'none.tar'], { encoding: 'utf8', cwd: '/' });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^Error: .*\nNext: .*--trust release\.pub\.\n$/);
  });

  test('the published schemas are those of the program', () => {
    const { status, stderr } = spawnSync(process.execPath, [`${root}scripts/schemas.ts`, '--check'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('errors', () => {
  test('what happened, why, what to do next', () => {
    const error = new AirdockError('LOAD_FAILED', 'the engine refused the images', {
      hint: 'Free some space.',
      cause: new Error('no space left on device'),
    });
    expect(errorText(error, false)).toBe(
      'Error: the engine refused the images\n  because no space left on device\nNext: Free some space.\n',
    );
    expect(documentOf(error)).toEqual({
      schema: 'airdock.error/1',
      code: 'LOAD_FAILED',
      exitCode: 6,
      message: 'the engine refused the images',
      hint: 'Free some space.',
    });
  });

  test('a defect is one, an abort is an interruption', () => {
    expect(documentOf(new TypeError('x is undefined'))).toMatchObject({ code: 'INTERNAL', exitCode: 1 });
    expect(documentOf(AbortSignal.abort().reason)).toMatchObject({ code: 'INTERRUPTED', exitCode: 130 });
  });
});
