import { setTimeout as delay } from 'node:timers/promises';

/** Looks again and again until `look` answers something, and answers that; fails after `timeoutMs`. */
export async function eventually<T>(
  look: () => Promise<T | null | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${look}`);
    await delay(25);
  }
}
