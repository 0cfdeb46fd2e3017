/** The rank of each word people choose: 1 for the most frequent. Lower case. */
export type WordRanks = ReadonlyMap<string, number>;

export interface GuessEstimate {
  /** log10 of the guesses that the cheapest way to say the password takes. */
  readonly log10: number;
  /** The words of the person or the service that this way uses. */
  readonly ownWords: ReadonlySet<string>;
}

const longestWord = 24;
/** Of a longer text the beginning says enough: what follows only adds guesses. */
const longestEstimated = 64;
/** No word costs less: log10 of two guesses. */
const ownWordCost = 0.3;
const repeatedCost = 0.3;
const yearCost = 2;
const costs: readonly [RegExp, number][] = [
  [/[\s._-]/, 0.4],
  [/\d/, 1],
  [/[a-z]/, 1.4],
  [/[!-/:-@[-`{-~]/, 1.2],
];
const otherCost = 2;
const year = /^(?:19|20)\d\d$/;
const disguises: Readonly<Record<string, string>> = {
  ...{ '@': 'a', '4': 'a', '3': 'e', '1': 'i', '!': 'i', '0': 'o', $: 's', '5': 's', '7': 't' },
};

/**
 * How few guesses reach a password that somebody puts together from frequent words, years, digits
 * and repeated or neighbouring characters. Never too high for a text that only looks long; for one
 * that is random it grows with the length. The text is compared without regard to capitals and to
 * `p4$$w0rd`. At most a few thousand look-ups.
 */
export function estimateGuesses(
  password: string,
  ranks: WordRanks,
  ownWords: ReadonlySet<string>,
): GuessEstimate {
  const plain = password.toLowerCase().slice(0, longestEstimated);
  const undisguised = [...plain].map((char) => disguises[char] ?? char).join('');
  const estimates = [plain, undisguised].map((text) => cheapest(text, ranks, ownWords));
  return estimates.reduce((best, next) => (next.log10 < best.log10 ? next : best));
}

interface Step {
  readonly cost: number;
  readonly from: number;
  readonly own: string | null;
}

/** `steps[i]`: the cheapest way to the first `i` characters. */
function cheapest(text: string, ranks: WordRanks, ownWords: ReadonlySet<string>): GuessEstimate {
  const steps: Step[] = [{ cost: 0, from: 0, own: null }];
  for (let end = 1; end <= text.length; end += 1) {
    let best: Step = {
      cost: steps[end - 1]!.cost + characterCost(text, end - 1),
      from: end - 1,
      own: null,
    };
    for (let from = Math.max(0, end - longestWord); from < end - 1; from += 1) {
      if (steps[from]!.cost + ownWordCost >= best.cost) continue;
      const word = text.slice(from, end);
      const own = ownWords.has(word) ? word : null;
      const cost = steps[from]!.cost + (own === null ? wordCost(word, ranks) : ownWordCost);
      if (cost < best.cost) best = { cost, from, own };
    }
    steps.push(best);
  }
  return { log10: steps.at(-1)!.cost, ownWords: ownWordsOf(steps) };
}

function ownWordsOf(steps: readonly Step[]): ReadonlySet<string> {
  const used = new Set<string>();
  for (let end = steps.length - 1; end > 0; end = steps[end]!.from) {
    const { own } = steps[end]!;
    if (own !== null) used.add(own);
  }
  return used;
}

function wordCost(word: string, ranks: WordRanks): number {
  if (year.test(word)) return yearCost;
  const rank = ranks.get(word);
  return rank === undefined ? Number.POSITIVE_INFINITY : Math.log10(rank + 1);
}

function characterCost(text: string, index: number): number {
  const step = text.charCodeAt(index) - text.charCodeAt(index - 1);
  if (Math.abs(step) <= 1) return repeatedCost;
  return costs.find(([pattern]) => pattern.test(text[index]!))?.[1] ?? otherCost;
}
