// Not a byte behind the end: who looks for the end from behind would find another one.
import { test } from 'vitest';
import { attacked, expectRefused } from '../helpers/attack.ts';

const target = attacked();

test.each([
  ['a zero', Buffer.of(0)],
  ['a byte', Buffer.of(1)],
  ['a newline', Buffer.from('\n')],
  ['a third block of zeros', Buffer.alloc(512)],
  ['zeros up to the record size of tar', Buffer.alloc(10240)],
  ['the end of a zip file', Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)])],
])('%s', (_what, more) => expectRefused(target, Buffer.concat([target.bytes, more]), 'BUNDLE_TRAILING_DATA'));
