import { Registry } from 'prom-client';
import { requireSameClock } from '../eventlog/database-clock.ts';
import { LogGuard } from '../eventlog/log-guard.ts';
import type { LogName } from '../eventlog/log-identity.ts';
import { openLog } from '../eventlog/open-log.ts';
import { RecordSeal, sealedReaders } from '../eventlog/record-seal.ts';
import { refusedRowReport } from '../eventlog/refused-rows.ts';
import { type Cells, oneCell } from '../node/cell.ts';
import type { Config } from '../node/config.ts';
import { loadServerSecrets, type ServerSecrets } from '../node/server-secrets.ts';
import { existingKeyRing } from '../platform/crypto/key-encryption-key.ts';
import { type KeyWrap, localKeyWrap } from '../platform/crypto/key-wrap.ts';
import { newId } from '../platform/crypto/new-id.ts';
import { createLogger, type Logger } from '../platform/logging/logging.ts';
import { createPools } from '../platform/postgres/pool.ts';
import { requireSchema } from '../platform/postgres/required-schema.ts';
import { untilAnswered, whileUnavailable } from '../platform/postgres/while-unavailable.ts';
import { databaseUrls } from './database.ts';
import { endOnSignal } from './shutdown.ts';

/** The log and its keys, as a command of an operator works with them. */
export interface OperatorLog {
  readonly cells: Cells;
  readonly logName: LogName;
  readonly keyWrap: KeyWrap;
  readonly secrets: ServerSecrets;
  readonly log: Logger;
  /** Of this run, so that no try of it does the work of another again. */
  readonly idempotencyKey: string;
}

/**
 * Runs `work` against the database itself, as the application role, once the key-encryption key has
 * been proven to be the database's own: with another one, nothing is written. While the database is
 * too slow for `work`, it is tried again: an emergency does not wait for a quiet moment. Throws
 * ConfigError, KeyWrapError, LogIdentityError, ClockSkewError.
 */
export async function withOpenLog<T>(
  config: Config,
  name: string,
  work: (opened: OperatorLog) => Promise<T>,
): Promise<T> {
  endOnSignal();
  const keyWrap = localKeyWrap(existingKeyRing(config));
  const log = createLogger({ level: config.logging.level, name });
  const pools = createPools({
    databaseUrl: databaseUrls(config).application,
    readers: 2,
    applicationName: name,
    logger: log,
  });
  try {
    const { readers } = pools;
    const guard = new LogGuard();
    const secrets = await untilAnswered(async () => {
      await requireSchema(readers);
      await guard.check(readers);
      // What is decided here counts from this clock, such as how long a retired key verifies.
      await requireSameClock(readers, Date.now);
      return loadServerSecrets(readers, keyWrap);
    }, log);
    const seal = new RecordSeal(secrets.recordSealKey, refusedRowReport(new Registry(), log));
    const opened: OperatorLog = {
      cells: oneCell({
        logId: guard.logId,
        readers: sealedReaders(readers, seal),
        handler: openLog(pools, guard, { seal }).handler,
      }),
      logName: guard.logName,
      keyWrap,
      secrets,
      log,
      idempotencyKey: newId(),
    };
    return await whileUnavailable(() => work(opened));
  } finally {
    await pools.end();
  }
}
