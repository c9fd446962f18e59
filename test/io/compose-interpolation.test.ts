import { expect, test } from 'vitest';
import { interpolate, interpolation } from '../../src/io/compose-interpolation.ts';

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
  ['a$', 'a$'],
  ['${NONE:-${SET}${NO:-z}}', 'valuez'],
])('%s becomes %s', (text, expected) => {
  expect(interpolate(text, (key) => values[key])).toBe(expected);
});

test('variables without a value are named, also required ones; a default is not asked for when it is not needed', () => {
  const found = interpolation('${X}${Y:?why}$Z${SET:-$W}', (key) => values[key]);
  expect(found).toEqual({ value: 'value', missing: ['X', 'Y', 'Z'], malformed: false });
  expect(interpolation('${', (key) => values[key]).malformed).toBe(true);
});
