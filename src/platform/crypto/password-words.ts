import { dictionary } from '@zxcvbn-ts/language-common';

/**
 * What people choose, by frequency: the 49,000 passwords of public breaches that zxcvbn ships
 * (MIT), with the words and names that they are made of. zxcvbn's own estimate is not used: it took
 * up to 140 ms for a password of 15 characters.
 */
export const passwordWords: ReadonlyMap<string, number> = new Map([
  ...(dictionary['passwords-common'] ?? []).map(
    (word, index) => [String(word), index + 1] as const,
  ),
  ...'a i is my the this that of and to in it me you your for not are am be on at with so we'
    .split(' ')
    .map((word, index) => [word, index + 1] as const),
]);
