import { expect, it } from 'vitest';
import { typedDigits } from '../../../src/domain/kernel/typed-digits.ts';

it.each([
  ['012345', '012345'],
  [' 012 345\n', '012345'],
  ['012-345', '012345'],
  ['０１２３４５', '012345'],
  ['01234x', '01234x'],
  ['', ''],
])('a code typed as %j is %j', (typed, plain) => {
  expect(typedDigits(typed)).toBe(plain);
});
