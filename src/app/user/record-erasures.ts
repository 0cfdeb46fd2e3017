import type { SealedReaders } from '../../eventlog/record-seal.ts';
import type { ErasureLog } from '../../node/erasure-log.ts';
import { findErasedUsers } from '../../tables/erased-user.ts';

const pageRows = 1_000;

/**
 * Writes down outside the database every erased user who does not stand there: of an erasure that a
 * crash has cut before its file was written, or of a file that was lost. Stops between two pages
 * when `signal` is aborted. Answers how many were missing. Raises `unavailable`.
 */
export async function recordErasures(
  { readers, erasures }: { readonly readers: SealedReaders; readonly erasures: ErasureLog },
  signal: AbortSignal,
): Promise<number> {
  const known = await erasures.userIds();
  let missing = 0;
  let after: string | null = null;
  do {
    const page = await findErasedUsers(readers, { after, limit: pageRows });
    for (const erasure of page.erased) {
      if (known.has(erasure.userId)) continue;
      await erasures.record(erasure);
      missing += 1;
    }
    after = page.next;
  } while (after !== null && !signal.aborted);
  return missing;
}
