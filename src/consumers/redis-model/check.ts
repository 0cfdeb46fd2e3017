import type { Queryable } from '../../eventlog/queryable.ts';
import { safeInteger } from '../../platform/postgres/safe-integer.ts';
import { lagBehindLog } from '../log-lag.ts';
import type { ByHand } from './by-hand.ts';
import { positionIn } from './checkpoint.ts';
import { longLagSeconds } from './lag.ts';

/** Redis counts a life down by its own clock, and an entry may go in this moment. */
const marginSeconds = 5;
const pageRows = 1_000;

/**
 * What is wrong with the model, in words; empty when nothing is. It looks at the lag, and asks for
 * each ended session whose tokens may live, and which the model has passed, whether it is
 * blacklisted. Throws RedisUnavailableError.
 */
export async function checkModel({
  store,
  readers,
  log,
}: Pick<ByHand, 'store' | 'readers' | 'log'>): Promise<string[]> {
  const findings: string[] = [];
  const policy = await store.evictionPolicy();
  if (policy !== null && policy !== 'noeviction') {
    findings.push(`maxmemory-policy is ${policy}: a full Redis forgets revocations silently`);
  }
  const { text, epoch } = await store.read();
  const checkpoint = positionIn(text, log);
  if (checkpoint === null) {
    return [...findings, 'Redis holds no model of this log in its epoch: no worker builds one'];
  }
  if (epoch !== log.logEpoch) {
    findings.push(`the model is being built, and is at position ${checkpoint}`);
  }
  const lag = await lagBehindLog(readers, checkpoint);
  if (epoch === log.logEpoch && lag.seconds > longLagSeconds) {
    const seconds = Math.round(lag.seconds);
    findings.push(`the model is ${lag.positions} positions and ${seconds} s behind the log`);
  }
  let [ended, missing] = [0, 0];
  for (let after = 0; ; ) {
    const page = await endedSessions(readers, { after, upTo: checkpoint });
    const ids = page.map(({ sessionId }) => sessionId);
    missing += ids.length - (await store.blacklisted(ids));
    ended += ids.length;
    if (page.length < pageRows) break;
    after = page.at(-1)!.pos;
  }
  if (missing > 0) findings.push(`${missing} of ${ended} ended sessions are not blacklisted`);
  return findings;
}

async function endedSessions(
  readers: Queryable,
  { after, upTo }: { readonly after: number; readonly upTo: number },
): Promise<{ pos: number; sessionId: string }[]> {
  const { rows } = await readers.query({
    text: `select pos, target from latchkey.revocations
      where target_kind = 'session' and pos > $1 and pos <= $2
        and until > clock_timestamp() + $3 * interval '1 second'
      order by pos limit $4`,
    values: [after, upTo, marginSeconds, pageRows],
  });
  return rows.map(({ pos, target }) => ({ pos: safeInteger(pos), sessionId: target as string }));
}
