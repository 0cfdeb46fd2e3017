import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { LogIdentityError } from '../../src/eventlog/log-identity.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { createCopiedDatabase, withClient } from '../support/postgres.ts';
import { commandOf, touch } from '../support/session-commands.ts';

let log: TestLog;

beforeEach(async () => {
  log = await openTestLog();
});
afterEach(() => log.close());

async function append(guard?: LogGuard): Promise<number> {
  const command = commandOf([touch(newId(), 'none')]);
  const appended = await log.writer.append(command);
  guard?.sightings.noteAppended(command, appended);
  return appended.streams[0]!.lastPos!;
}

/** As a failover does that loses the end of the log: the positions are drawn again. */
async function loseFrom(pos: number): Promise<void> {
  await log.owner.query('alter table latchkey.events disable trigger user');
  await log.owner.query('delete from latchkey.events where pos >= $1', [pos]);
  await log.owner.query("select setval('latchkey.event_pos', $1, false)", [pos]);
  await log.owner.query('alter table latchkey.events enable trigger user');
}

const check = (guard: LogGuard) => guard.check(log.pools.readers);

describe('a log that has lost events', () => {
  // Fails when the head of the log is compared with the cursor instead of the events.
  it('F8: is refused when others stand at their positions and the head is far beyond', async () => {
    const guard = new LogGuard();
    await check(guard);
    await append();
    const lost = await append(guard);
    await check(guard);
    await loseFrom(lost);
    for (let n = 0; n < 5; n += 1) await append();
    await expect(check(guard)).rejects.toThrow(LogIdentityError);
    expect(() => guard.require()).toThrow('unavailable');
  });

  it('F8: is refused by a process that has only read them', async () => {
    const guard = new LogGuard();
    await check(guard);
    const lost = await append();
    await guard.sightings.look(log.pools.readers);
    await loseFrom(lost);
    await append();
    await expect(check(guard)).rejects.toThrow('The log has lost events');
  });

  it('F8: is refused by every other process, the ones that start later too', async () => {
    const [witness, other] = [new LogGuard(), new LogGuard()];
    await check(witness);
    await check(other);
    const lost = await append(witness);
    await loseFrom(lost);
    await append();
    await check(other);
    await expect(check(witness)).rejects.toThrow(LogIdentityError);
    await expect(check(other)).rejects.toThrow('has found the log incomplete');
    await expect(check(new LogGuard())).rejects.toThrow('has found the log incomplete');
  });

  it('F8: stays refused by who has noticed, whatever the log looks like later', async () => {
    const guard = new LogGuard();
    await check(guard);
    const lost = await append(guard);
    await loseFrom(lost);
    await expect(check(guard)).rejects.toThrow(LogIdentityError);
    await log.owner.query('delete from latchkey.log_doubts');
    await append();
    await expect(check(guard)).rejects.toThrow(LogIdentityError);
  });

  it('F8: is accepted by new processes once an operator has begun a new epoch', async () => {
    const guard = new LogGuard();
    await check(guard);
    const lost = await append(guard);
    await loseFrom(lost);
    await expect(check(guard)).rejects.toThrow(LogIdentityError);
    await log.owner.query('update latchkey.log_meta set log_epoch = gen_random_uuid()');
    await check(new LogGuard());
  });

  // Fails when a process that refuses the first log it sees asks for the one that it knows.
  it('is named to who hears of the refusal, once it was accepted', async () => {
    const heard: (string | null)[] = [];
    const [first, later] = [1, 2].map(() => new LogGuard((_, logId) => heard.push(logId)));
    await check(later!);
    await log.owner.query('update latchkey.log_meta set events_oid = 1');
    await expect(check(first!)).rejects.toThrow(LogIdentityError);
    await expect(check(later!)).rejects.toThrow(LogIdentityError);
    expect(heard).toStrictEqual([null, later!.logId]);
  });

  // Fails when only the epoch is compared: a position of one log says nothing in another.
  it.each(['log_id', 'log_epoch'])('is refused when it has another %s', async (column) => {
    const guard = new LogGuard();
    await check(guard);
    await log.owner.query(`update latchkey.log_meta set ${column} = gen_random_uuid()`);
    await expect(check(guard)).rejects.toThrow(LogIdentityError);
  });

  it('F8: the application can note the loss and not take it back', async () => {
    await withClient(log.database.appUrl, async (client) => {
      const noted = `insert into latchkey.log_doubts (log_epoch, pos, detail)
        values (gen_random_uuid(), 1, 'gone')`;
      await client.query(noted);
      for (const change of [
        "update latchkey.log_doubts set detail = ''",
        'delete from latchkey.log_doubts',
      ]) {
        await expect(client.query(change)).rejects.toMatchObject({ code: '42501' });
      }
    });
  });
});

describe('a log that stands where it was not written', () => {
  const refused = async (guard: LogGuard) => {
    const error = await check(guard).catch((reason: Error) => reason);
    return error instanceof LogIdentityError ? error.message : 'accepted';
  };

  it('B11: is refused in another database of the same cluster', async () => {
    const other = await createCopiedDatabase();
    try {
      await withClient(other.appUrl, async (client) => {
        await expect(new LogGuard().check(client)).rejects.toThrow(
          'another database of this cluster',
        );
      });
    } finally {
      await other.drop();
    }
  });

  // What pg_restore --clean does: the database stays, its tables are made anew.
  it('B11: is refused in the same database when its tables were made anew', async () => {
    await check(new LogGuard());
    await log.owner.query('update latchkey.log_meta set events_oid = (events_oid::int8 + 1)::oid');
    expect(await refused(new LogGuard())).toContain('restored dump');
  });

  it('B11: is refused in another cluster', async () => {
    await log.owner.query('update latchkey.log_meta set system_identifier = system_identifier + 1');
    expect(await refused(new LogGuard())).toContain('another database cluster');
  });
});
