/** Words that speak for the operator: no name holds one as a word, and none is one. */
const operatorWords = wordsIn([
  'admin administrator administration billing helpdesk hostmaster latchkey mailerdaemon moderator',
  'noreply official operator postmaster root security service staff superuser support sysadmin',
  'system webmaster',
]);

/** Other mailboxes of RFC 2142, paths, and words that programs take for no name: no name is one. */
const otherWords = wordsIn([
  'abuse account accounts all anonymous api auth contact everyone guest help info login logout',
  'mail me news noc nobody null oauth oidc owner password privacy register sales self settings',
  'signin signup sudo sys team test undefined unknown user username users usenet uucp www',
]);

/** A digit that is read as a letter. 1 is an i or an l. */
const digitsFor: Readonly<Record<string, string>> = {
  a: '4',
  e: '3',
  i: '1',
  l: '1',
  o: '0',
  s: '5',
  t: '7',
};

/**
 * Letters that Unicode does not take apart, and that look like one of ASCII: of Latin, Cyrillic and
 * Greek, in this order.
 */
const lookAlikes = new Map<string, string>([
  ...pairs(
    '\u0131\u0269\u026a\u0237\u0142\u00f8\u0111\u00f0\u0127\u0167\u0251\u0261',
    'iiijloddhtag',
  ),
  ...pairs('\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458', 'aeopcyxisj'),
  ...pairs('\u0501\u04bb\u051b\u051d\u04cf\u043a\u043c\u0442\u0432', 'dhqwlkmtb'),
  ...pairs('\u03b1\u03bf\u03bd\u03b9\u03ba\u03c1\u03c4\u03c5', 'aovikptu'),
]);

const cut = '[._+-]*';
/** With a number before or after it, in the plural, and cut up anywhere. */
const holdsOperatorWord = new RegExp(
  `(?:^|[._+-])[0-9]*${cut}(?:${spellings(operatorWords)})${cut}[s5]?${cut}[0-9]*(?:[._+-]|$)`,
);
const isOneWord = new RegExp(
  `^[0-9._+-]*(?:${spellings([...operatorWords, ...otherWords])})${cut}[s5]?[0-9._+-]*$`,
);

/**
 * Whether only the operator may take a name: it is a reserved word or holds one of the operator's
 * between two cuts (`.`, `_`, `+`, `-`, or an end). Accents, digits in place of letters, numbers, a
 * plural and further cuts hide none. `name`: as `parseUsername` gives it.
 */
export function isReservedUsername(name: string): boolean {
  const skeleton = skeletonOf(name);
  return [skeleton, skeleton.replace(/[0-9]/g, '')].some(
    (text) => holdsOperatorWord.test(text) || isOneWord.test(text),
  );
}

/** What is left for the eye: no marks, no digits of other scripts, plain letters, and the cuts. */
function skeletonOf(name: string): string {
  const letters = [...name.normalize('NFD').replace(/[^\p{Ll}\p{Lu}\p{Lo}0-9._+-]/gu, '')];
  return letters.map((char) => lookAlikes.get(char) ?? char).join('');
}

function spellings(words: readonly string[]): string {
  return words
    .map((word) => [...word].map((char) => `[${char}${digitsFor[char] ?? ''}]`).join(cut))
    .join('|');
}

function wordsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split(' '));
}

function pairs(from: string, to: string): [string, string][] {
  const letters = [...to];
  return [...from].map((char, index) => [char, letters[index]!]);
}
