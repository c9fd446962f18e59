import { describe, expect, test } from 'vitest';
import { asideName } from '../../../../src/data/postgres/swap/swap-names.ts';

describe('the name of what is put aside', () => {
  test('says release and transaction', () => {
    expect(asideName('nodepad', '0.3.0', 14)).toBe('nodepad_0_3_0_t14');
    expect(asideName('nodepad', '1.0.0-rc.1+build', 2)).toBe('nodepad_1_0_0_rc_1_build_t2');
  });
  test('has at most 63 bytes, cut at a character, and never in what tells two of them apart', () => {
    const long = asideName('ä'.repeat(40), '0.3.0', 14);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(63);
    expect(long).toMatch(/^ä+_0_3_0_t14$/);
    expect(asideName('x', `1.0.0-${'a'.repeat(100)}`, 7)).toMatch(/_t7$/);
  });
});
