import { describe, expect, test } from 'vitest';
import { authorizeBy } from '../../src/bundle/authorize.ts';
import { decodeSlot, encodeSlot, slotSize, unsignedSlot } from '../../src/bundle/signature.ts';
import { otherKey, testKey } from '../helpers/bundle.ts';

const sums = Buffer.from('anything\n');
const der = testKey.sign(sums);

describe('FORMAT.md 3, the signature', () => {
  test('any of the trusted keys may have signed', () => {
    const authorize = authorizeBy({ keys: [otherKey.publicPem, testKey.publicPem] });
    expect(authorize(sums, der)).toEqual({ fingerprint: testKey.fingerprint, pem: testKey.publicPem });
    expect(authorize(sums, otherKey.sign(sums)).fingerprint).toBe(otherKey.fingerprint);
  });

  test('another key, other bytes, another signature are refused', () => {
    const invalid = expect.objectContaining({ code: 'SIGNATURE_INVALID' });
    expect(() => authorizeBy({ keys: [otherKey.publicPem] })(sums, der)).toThrow(invalid);
    expect(() => authorizeBy({ keys: [testKey.publicPem] })(Buffer.from('anything'), der)).toThrow(invalid);
    expect(() => authorizeBy({ keys: [testKey.publicPem] })(sums, Buffer.concat([der, Buffer.of(0)]))).toThrow(invalid);
    expect(() => authorizeBy({ keys: [testKey.publicPem] })(sums, Buffer.of(1))).toThrow(invalid);
  });

  test('without a key nothing is accepted', () => {
    expect(() => authorizeBy({ keys: [] })(sums, der)).toThrow(expect.objectContaining({ code: 'KEY_NOT_TRUSTED' }));
  });

  test('the slot is 512 bytes: base64 on one line, then newlines', () => {
    const slot = encodeSlot(der);
    expect(slot).toHaveLength(slotSize);
    expect(slot.toString()).toBe(der.toString('base64').padEnd(512, '\n'));
    expect(decodeSlot(slot).equals(der)).toBe(true);
  });

  test('what is too long or empty is no signature', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(400)]) {
      expect(() => encodeSlot(bytes)).toThrow(expect.objectContaining({ code: 'SIGNATURE_MALFORMED' }));
    }
  });

  test.each([
    ['newlines only: nobody signed', unsignedSlot],
    [
      'zeros behind the signature',
      Buffer.concat([Buffer.from(der.toString('base64')), Buffer.alloc(slotSize)]).subarray(0, slotSize),
    ],
    ['two lines', Buffer.from(`${der.toString('base64').slice(0, 40)}\n${der.toString('base64').slice(40)}`.padEnd(512, '\n'))],
    ['a newline first', Buffer.from(`\n${der.toString('base64')}`.padEnd(512, '\n'))],
    ['loose last bits', Buffer.from('AB=='.padEnd(512, '\n'))],
    ['no newline at all', Buffer.alloc(512, 'A')],
    ['another size', encodeSlot(der).subarray(0, 511)],
  ])('%s', (_what, slot) => {
    expect(() => decodeSlot(slot)).toThrow(expect.objectContaining({ code: 'SIGNATURE_MALFORMED' }));
  });

  test('an unsigned bundle says how to sign it', () => {
    expect(() => decodeSlot(unsignedSlot)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('airdock sign') as string }),
    );
  });
});
