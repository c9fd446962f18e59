import { expect, test } from 'vitest';
import { interpolate } from '../../src/bundle/interpolation.ts';

const values: Record<string, string> = { SET: 'value', EMPTY: '' };
// Compose Specification, "Interpolation"
test.each([
  ['$SET/x', 'value/x'],
  ['${SET}x', 'valuex'],
  ['${NONE}', ''],
  ['${NONE:-default}', 'default'],
  ['${EMPTY:-default}', 'default'],
  ['${EMPTY-default}', ''],
  ['${NONE-default}', 'default'],
  ['${NONE:-${SET}}', 'value'],
  ['${SET:+other}', 'other'],
  ['${NONE:+other}', ''],
  ['${SET:?must}', 'value'],
  ['$$SET', '$SET'],
  ['a $ b', 'a $ b'],
])('%s becomes %s', (text, expected) => {
  expect(interpolate(text, (key) => values[key])).toBe(expected);
});
