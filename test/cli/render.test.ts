import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ndjsonRenderer } from '../../src/cli/render/ndjson.ts';
import { plainRenderer } from '../../src/cli/render/plain.ts';
import type { Renderer } from '../../src/cli/render/renderer.ts';
import { terminalRenderer } from '../../src/cli/render/terminal.ts';
import { progressText } from '../../src/cli/render/progress.ts';
import { bytesText, durationText } from '../../src/units.ts';

async function play(renderer: Renderer): Promise<void> {
  const { listener } = renderer;
  listener({ type: 'heading', text: 'shop 0.3.0' });
  listener({ type: 'step-started', step: 'import' });
  listener({ type: 'progress', step: 'import', bytes: 10, total: 20 });
  listener({ type: 'progress', step: 'import', bytes: 20, total: 20 });
  listener({ type: 'note', step: 'import', text: 'a detail' });
  listener({ type: 'step-ended', step: 'import', outcome: 'done', summary: '3 new blobs, 22.0 MB', milliseconds: 200 });
  listener({ type: 'step-ended', step: 'rehearse', outcome: 'failed', summary: 'it failed\nduplicate key', milliseconds: 1500 });
  listener({ type: 'step-ended', step: 'migrate', outcome: 'skipped', summary: '', milliseconds: 0 });
  listener({ type: 'warning', text: 'look out' });
  renderer.write('and more\n');
  await renderer.flush();
}

const lines = [
  'shop 0.3.0',
  '                a detail',
  '  ✔ import      3 new blobs, 22.0 MB                                        0.2 s',
  '  ✖ rehearse    it failed                                                   1.5 s',
  '                duplicate key',
  '  – migrate                                                                 0.0 s',
  'warning: look out',
  'and more',
];

describe('rendering', () => {
  test('piped: one line a finished step, no colour', async () => {
    let text = '';
    await play(plainRenderer({ write: (chunk) => (text += chunk) }));
    expect(text).toBe(`${lines.join('\n')}\n`);
  });

  test('on a terminal: the same lines stay, coloured', async () => {
    const out = Object.assign(new PassThrough(), { isTTY: true, columns: 120, rows: 40 });
    let text = '';
    out.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await play(terminalRenderer(out as unknown as NodeJS.WriteStream, () => Date.now(), true));
    expect(text).toContain('\u001B[32m✔');
    const shown = stripVTControlCharacters(text).split('\n');
    for (const line of lines) expect(shown.map((each) => each.trimEnd())).toContain(line);
  });

  test('--json: every event is a line; progress is thinned', async () => {
    let text = '';
    let now = 0;
    await play(ndjsonRenderer({ write: (chunk) => (text += chunk) }, () => (now += 100)));
    const types = text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types).toEqual([
      'heading',
      'step-started',
      'progress',
      'note',
      'step-ended',
      'step-ended',
      'step-ended',
      'warning',
      'note',
    ]);
  });

  test('units', () => {
    expect([0, 999, 1000, 202_600_000, 999_950, 2 ** 40].map(bytesText)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '202.6 MB',
      '1.0 MB',
      '1.1 TB',
    ]);
    expect([0, 200, 46_100, 200_000, 7_260_000].map(durationText)).toEqual([
      '0.0 s',
      '0.2 s',
      '46.1 s',
      '3 min 20 s',
      '2 h 1 min',
    ]);
    expect(progressText(10e6, 40e6, 1000)).toBe('10.0 MB of 40.0 MB, 10.0 MB/s, 3.0 s left');
    expect(progressText(10e6, undefined, 100)).toBe('10.0 MB');
  });
});
