import { unlockUser } from '../api/commands/unlock-user.ts';
import { findUserByEmail } from '../api/queries/user-by-email.ts';
import { loadServerSecrets } from '../api/server-secrets.ts';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { isId } from '../domain/kernel/ids.ts';
import { isLocked } from '../domain/user/lockout.ts';
import type { UserState } from '../domain/user/state.ts';
import type { EventMeta } from '../eventlog/command.ts';
import { LogGuard } from '../eventlog/log-guard.ts';
import { openLog } from '../eventlog/open-log.ts';
import { loadConfig } from '../platform/config.ts';
import { loadKeyRing } from '../platform/key-encryption-key.ts';
import { localKeyWrap } from '../platform/key-wrap.ts';
import { createLogger } from '../platform/logging.ts';
import { newId } from '../platform/new-id.ts';
import { createPools, type Pools } from '../platform/postgres-pool.ts';
import { databaseUrls } from './database.ts';

const meta: EventMeta = { request_id: 'cli', correlation_id: 'cli', actor: 'cli' };

/**
 * Lifts the lock of the user with this id or address, against the database itself: it works while
 * every administrator is locked out. An address can be found only with the KEK.
 */
export async function usersUnlock(emailOrId: string): Promise<void> {
  const config = loadConfig();
  const pools = createPools({
    databaseUrl: databaseUrls(config).application,
    readers: 2,
    applicationName: 'latchkey users',
    logger: createLogger({ level: config.logLevel, name: 'latchkey users' }),
  });
  try {
    const guard = new LogGuard();
    await guard.check(pools.readers);
    const userId = isId(emailOrId) ? emailOrId : await findId(pools, config, emailOrId);
    const { readers } = pools;
    const { handler } = openLog(pools, guard);
    const command = { commandId: newId(), repeatable: false };
    const services = { readers, handler, now: Date.now };
    const { changed, before } = await unlockUser(services, userId, command, meta);
    console.log(changed ? `${userId}: ${lifted(before, Date.now())}` : `${userId} was not locked`);
    if (before.status === 'disabled')
      console.log('The user is disabled: enable it to let it log in.');
  } finally {
    await pools.end();
  }
}

async function findId(
  { readers }: Pools,
  config: ReturnType<typeof loadConfig>,
  email: string,
): Promise<string> {
  const secrets = await loadServerSecrets(readers, localKeyWrap(loadKeyRing(config)));
  const user = await findUserByEmail({ readers, secrets }, email);
  if (user === null) throw new LatchkeyError('not_found', { detail: 'no user has this address' });
  return user.userId;
}

function lifted(before: UserState, now: number): string {
  const devices = before.devices.failures.filter((failures) => isLocked(failures, now)).length;
  const until = isLocked(before, now)
    ? `unlocked; it was locked until ${new Date(before.lockedUntil!).toISOString()}`
    : 'was not locked now';
  const forgotten = `${before.failedChecks} wrong passwords and the locks of ${devices} devices`;
  return `${until}; forgot ${forgotten}`;
}
