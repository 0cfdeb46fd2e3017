const triesMax = 20;

/**
 * As a client does it: asks again after a 503, which a busy machine may cause, a few times. Answers
 * the last of them. `onUnavailable` hears of each 503.
 */
export async function served<A extends { readonly status: number }>(
  ask: () => Promise<A>,
  onUnavailable: () => void = () => {},
): Promise<A> {
  for (let tries = 1; ; tries += 1) {
    const answer = await ask();
    if (answer.status !== 503) return answer;
    onUnavailable();
    if (tries === triesMax) return answer;
  }
}
