import { limits } from '../kernel/limits.ts';

const shortest = limits.passwordCodePointsMin;
const longestGenerated = 40;

/**
 * What people type when a long password is asked for: one of these, over and over or behind one
 * another.
 */
const words = [
  'password passwort passw0rd p@ssword p@ssw0rd pass secret geheim letmein welcome hello admin',
  'administrator root user login signin guest test testing demo default changeme temp master',
  'latchkey latch key session auth token security iloveyou love baby angel sunshine princess',
  'dragon monkey football baseball soccer hockey superman batman pokemon starwars shadow',
  'michael jordan jennifer jessica ashley charlie computer internet google facebook microsoft',
  'windows linux summer winter spring autumn freedom whatever trustno1 abc abc123 abcd abcdef',
  'qwe qwer qwert qwerty qwertz azerty asd asdf asdfgh zxc zxcv zxcvbn qaz wsx 1qaz 2wsx',
  '1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890 0 00 000 007 321 4321',
  '54321 654321 987654321 0987654321 1q2w 1q2w3e 1q2w3e4r 2580 112233 111 666 777 888 999 1212',
].flatMap((line) => line.split(' '));

const walks = [
  '1234567890qwertyuiopasdfghjklzxcvbnm',
  'qwertyuiopasdfghjklzxcvbnm1234567890',
  'qwertzuiopasdfghjklyxcvbnm1234567890',
  'azertyuiopqsdfghjklmwxcvbn1234567890',
  'qwertyuiop[]asdfghjkl;zxcvbnm,./',
  'qwertyuiop1234567890',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  'qazwsxedcrfvtgbyhnujmikolp',
  'zaq12wsxcde34rfvbgt56yhn',
  'zxcvbnmasdfghjklqwertyuiop',
  'abcdefghijklmnopqrstuvwxyz',
  'abcdefghijklmnopqrstuvwxyz1234567890',
  'aabbccddeeffgghhiijjkkllmmnn',
  '01234567890123456789012345678901234567890',
  '12345678901234567890123456789012345678901',
  '123456789101112131415161718192021222324',
  '112233445566778899001122334455667788990',
  '98765432109876543210987654321098765432109',
];

const phrases = [
  'ihavenopassword idontknow ineedapassword iforgotmypassword thisismypassword mypasswordis',
  'thisisapassword thisisnotapassword mysecretpassword myverysecretpassword nopasswordneeded',
  'letmeinletmein letmeinplease pleaseletmein',
  'openthedoorplease opensesame iloveyouforever iloveyousomuch iloveyoubaby ilovemyfamily',
  'welcometolatchkey latchkeypassword latchkeyadmin latchkeysession passwordlatchkey',
  'administratorpassword adminadminpassword defaultpassword changethispassword changemenow',
  'areallylongpassword averylongpassword verylongpassword longpassword fifteencharacters',
  'supersecretpassword topsecretpassword passwordpasswort maytheforcebewithyou tobeornottobe',
  'thequickbrownfox thequickbrownfoxjumpsoverthelazydog loremipsumdolorsitamet onetwothreefour',
  'onetwothreefourfive mynameisnobody whatismypassword donttellanyone nobodyknowsthis',
  // Famous long ones: examples of advice, lines of songs, films and prayers, clubs, vows.
  'correcthorsebatterystaple troubador3troubador correcthorsebattery horsebatterystaple',
  'iloveyoumorethananything iloveyoutothemoon tothemoonandback iloveyouwithallmyheart',
  'tequieromuchisimo teamomuchomibebe jesuslovesyou jesusismysavior jesuschristismylord',
  'thelordismyshepherd ourfatherwhoartinheaven forgodsolovedtheworld godisgoodallthetime',
  'liverpoolfootballclub youllneverwalkalone manchesterunited manchestercity newcastleunited',
  'realmadridclubdefutbol fcbarcelonafcbarcelona teenagemutantninjaturtles harrypotterandthe',
  'lukeiamyourfather iamyourfather mayeternallightshine winteriscoming onceuponatime',
  'twinkletwinklelittlestar happybirthdaytoyou happilyeverafter wewishyouamerrychristmas',
  'donttellanybody thequickbrownfoxjumped allyourbasearebelongtous imthekingoftheworld',
  'hakunamatatahakunamatata supercalifragilisticexpialidocious livelaughlove livelovelaugh',
  'liveyourlifetothefullest bestfriendsforever myfamilyismylife onedayatatime nevergiveup',
].flatMap((line) => line.split(' '));

const tails = ['', '1', '12', '123', '1234', '12345', '123456', '!', '1!', '123!', '!!', '.'];

/** Lower case; a password is compared in lower case and with and without its separators. */
export const commonPasswords: ReadonlySet<string> = new Set(
  [
    ...words.flatMap(repeated),
    ...[...'abcdefghijklmnopqrstuvwxyz0123456789.-_*!?#+ '].flatMap(repeated),
    ...walks.flatMap(startsAndReverses),
    ...phrases.flatMap((phrase) => tails.map((tail) => phrase + tail)),
    ...words.flatMap((word) => words.map((other) => word + other)),
    ...words.flatMap((word) => yearsAfter(word)),
  ].filter((text) => text.length >= shortest),
);

/**
 * Whether `password` is one of the common ones of the length we ask for, however it is capitalised
 * or spaced.
 */
export function isCommonPassword(password: string): boolean {
  const text = password.toLowerCase();
  return commonPasswords.has(text) || commonPasswords.has(text.replace(/[\s._-]/g, ''));
}

/**
 * The word over and over, cut anywhere from the shortest length on: also with a tail of digits when
 * it is whole.
 */
function repeated(word: string): string[] {
  const endless = word.repeat(Math.ceil(longestGenerated / word.length));
  const cuts = Array.from({ length: longestGenerated - shortest + 1 }, (_, extra) =>
    endless.slice(0, shortest + extra),
  );
  const wholes = Array.from({ length: Math.floor(longestGenerated / word.length) }, (_, times) =>
    word.repeat(times + 1),
  );
  return [...cuts, ...wholes.flatMap((whole) => tails.map((tail) => whole + tail))];
}

function startsAndReverses(walk: string): string[] {
  const reverse = [...walk].reverse().join('');
  const lengths = Array.from(
    { length: walk.length - shortest + 1 },
    (_, extra) => shortest + extra,
  );
  return lengths.flatMap((length) => [
    ...[walk.slice(0, length), walk.slice(-length)],
    ...[reverse.slice(0, length), reverse.slice(-length)],
  ]);
}

function yearsAfter(word: string): string[] {
  const years = Array.from({ length: 91 }, (_, index) => String(1950 + index));
  return years.flatMap((year) => [`${word}${year}`, `${word}${word}${year}`, `${word}${year}!`]);
}
