import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import { LogIdentityError } from '../../src/eventlog/log-identity.ts';
import { whileUnavailable } from '../../src/platform/postgres/while-unavailable.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';
import { type PollWorld, pollBeside } from './poll-world.ts';

let api: TestApi;
let world: PollWorld;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());
afterEach(() => world.stop());

async function started(intervalMs?: number, pageRows?: number): Promise<PollWorld> {
  world = pollBeside(api, intervalMs, pageRows);
  await world.poll.start();
  world.statements = [];
  return world;
}

const isMoment = (text: string) => text.includes('pg_current_snapshot()');
const isPage = (text: string) => text.includes('latchkey.revocations');
const isKeyset = (text: string) => text.includes('latchkey.keysets');
const messages = (level: string) =>
  world.lines.filter((line) => line.level === level).map(({ message }) => message);
const causes = () => world.lines.map(({ fields }) => fields.err);
const polls = (count: number) => {
  const moments = () => world.statements.filter(isMoment).length;
  const target = moments() + count;
  return expect.poll(moments, { interval: 1 }).toBeGreaterThanOrEqual(target);
};

/** Lets each poll fail with what `error` says at that moment; null: it goes through. */
function failWith(error: () => Error | null): void {
  world.between = {
    before: (text) => {
      const failure = isMoment(text) ? error() : null;
      if (failure !== null) throw failure;
    },
  };
}

const owner = (sql: string) => withClient(api.database.ownerUrl, (client) => client.query(sql));

const revokeSessions = (count: number) =>
  owner(`insert into latchkey.revocations (pos, target_kind, target, until)
    select nextval('latchkey.event_pos'), 'session', gen_random_uuid(), now() + interval '1 hour'
    from generate_series(1, ${count})`);

/** Counts how often the lease is renewed from now on. */
function renewals(): () => number {
  const lease = world.memory.leases.ofSlot(0);
  const renew = lease.renew.bind(lease);
  let count = 0;
  lease.renew = (start) => {
    count += 1;
    renew(start);
  };
  return () => count;
}

describe('a revocation poll that fails', () => {
  // Fails when each failure is logged, or only the first: what it has become would not be seen.
  it('says each kind of failure once, its cause included, and that it goes on again', async () => {
    await started(1);
    const closed = (why: string) => new Error('closed', { cause: new Error(why) });
    const kinds = [new Error('refused'), closed('by the server'), closed('by a proxy')];
    for (const kind of kinds) {
      failWith(() => kind);
      await expect.poll(causes, { interval: 1 }).toContain(kind);
      await polls(2);
    }
    failWith(() => null);
    await expect.poll(() => messages('info'), { interval: 1 }).toHaveLength(1);
    await polls(2);

    expect(causes().filter((cause) => cause !== undefined)).toEqual(kinds);
    expect(messages('warn')).toHaveLength(3);
    expect(messages('info')).toEqual(['revocation poll recovered']);
    failWith(() => kinds[0]!);
    await expect.poll(() => messages('warn'), { interval: 1 }).toHaveLength(4);
  });

  // Fails when only a lost connection makes the next poll look again which log and server it is on.
  it('looks again at the log, the keys and the clients', async () => {
    await started(1);
    let failures = 1;
    failWith(() => (failures-- > 0 ? new Error('cut') : null));
    await expect.poll(() => messages('info'), { interval: 1 }).toHaveLength(1);
    const asked = world.statements.join('\n');
    expect(asked).toContain('latchkey.log_meta');
    expect(asked).toContain('latchkey.keysets');
  });

  it('refuses the log for good when that is what it found, and for nothing else', async () => {
    await started(1);
    failWith(() => new Error('cut'));
    await expect.poll(() => messages('warn'), { interval: 1 }).toHaveLength(1);
    expect(world.guard.refused).toBeNull();
    const doubt = new LogIdentityError('another log');
    failWith(() => doubt);
    await expect.poll(() => world.guard.refused, { interval: 1 }).toBe(doubt);
  });

  // Fails when the last good keyset stands in for one that was not read: only a forged one may.
  it('renews no lease while it cannot read the keyset', async () => {
    await started();
    const cut = new LatchkeyError('unavailable');
    world.between = {
      before: (text) => {
        if (isKeyset(text)) throw cut;
      },
    };
    await rotate();
    const renewed = renewals();
    await expect(world.poll.refresh()).rejects.toBe(cut);
    expect(renewed()).toBe(0);
    expect(messages('error')).toEqual([]);
    world.between = {};
    await world.poll.refresh();
    expect(renewed()).toBe(1);
  });
});

describe('a revocation poll that fails again and again', () => {
  // Fails when a failure is taken for an answer that has more to read: it would poll without pause.
  it('waits for its interval before each try', async () => {
    const intervalMs = 150;
    await started(intervalMs);
    const tries: number[] = [];
    failWith(() => {
      tries.push(performance.now());
      return new Error('cut');
    });
    await expect.poll(() => tries.length, { interval: 5 }).toBeGreaterThanOrEqual(4);
    const pauses = tries.slice(1).map((at, index) => at - tries[index]!);
    expect(Math.min(...pauses)).toBeGreaterThan(intervalMs - 10);
  });
});

describe('an issuer key that does not open', () => {
  // Fails when each reload says it again, or a second key is passed over because of the first.
  it('is named once, however often the keys are read', async () => {
    world = pollBeside(api);
    const { keys } = api.node.memory.keyset;
    const first = keys.find(({ status }) => status === 'pending')!.kid;
    const good = keys.map(({ kid }) => kid).filter((kid) => kid !== first);
    world.between = {
      after: (text, rows) =>
        text.includes('latchkey.key_secrets')
          ? rows.map((row) =>
              good.includes(row.kid as string) ? row : { ...row, wrapped: 'spoilt' },
            )
          : rows,
    };
    const errors = () => world.lines.filter(({ level }) => level === 'error');
    const readAgain = async () => {
      await owner(`insert into latchkey.revocations (pos, target_kind, target, until)
        values (nextval('latchkey.event_pos'), 'keyset', 'any', now() + interval '1 hour')`);
      await world.poll.refresh();
    };
    await world.poll.start();
    await readAgain();
    expect(errors().map(({ fields }) => fields.kid)).toEqual([first]);
    await rotate();
    await world.poll.refresh();
    await readAgain();
    const made = world.memory.keyset.keys.at(-1)!.kid;
    expect(errors().map(({ fields }) => fields.kid)).toEqual([first, made]);
    expect(errors()[1]!.fields).toMatchObject({ status: 'pending', err: expect.any(Error) });
  });
});

describe('a revocation poll that meets another server', () => {
  // Fails when the ids of one server are taken for those of the other: what they gave out under an
  // id that was read before would be missed.
  it('reads everything again', async () => {
    await started(1);
    const known = world.memory.revocations.size;
    await revokeSessions(1);
    await expect.poll(() => world.memory.revocations.size, { interval: 1 }).toBe(known + 1);
    const beginnings: unknown[] = [];
    world.between = {
      before: (text, values) => {
        if (isPage(text)) beginnings.push(values[1]);
      },
      after: (text, rows) =>
        text.includes('pg_postmaster_start_time')
          ? rows.map((row) => ({ ...row, server: 'another' }))
          : rows,
    };
    await expect.poll(() => messages('info'), { interval: 1 }).toHaveLength(1);
    expect(messages('warn')).toHaveLength(1);
    expect(beginnings).toContain('0');
  });

  // Fails when a lost connection alone makes it read everything: what is many would be read often.
  it('does not where the server is the same', async () => {
    await started(1);
    const beginnings: unknown[] = [];
    let failures = 1;
    world.between = {
      before: (text, values) => {
        if (isMoment(text) && failures-- > 0) throw new Error('cut');
        if (isPage(text)) beginnings.push(values[1]);
      },
    };
    await expect.poll(() => messages('info'), { interval: 1 }).toHaveLength(1);
    expect(beginnings).not.toContain('0');
  });
});

describe('a revocation poll with more to read than it has time for', () => {
  /** Few, so that only the pause takes time. */
  const pageRows = 50;

  // Fails when the lease is renewed before all is read, or the rest is not gone on with.
  it('leaves the rest to the next one, and renews the lease only then', async () => {
    await started(undefined, pageRows);
    const before = world.memory.revocations.size;
    const renewed = renewals();
    await revokeSessions(2 * pageRows + 20);
    world.between = {
      before: async (text) => {
        if (isPage(text)) await owner('select pg_sleep(0.5)');
      },
    };
    const read = () => world.memory.revocations.size - before;
    const pages = async () => {
      world.statements = [];
      await world.poll.refresh();
      return world.statements.filter(isPage).length;
    };
    expect(await pages()).toBe(1);
    expect(read()).toBe(pageRows);
    expect(await pages()).toBe(1);
    expect(renewed()).toBe(0);
    expect(await pages()).toBe(1);
    expect(read()).toBe(2 * pageRows + 20);
    expect(renewed()).toBe(1);
  });

  // Fails when a node is ready as soon as it has read for its time.
  it('has read all of it before it has started', async () => {
    await revokeSessions(pageRows + 20);
    world = pollBeside(api, undefined, pageRows);
    world.between = {
      before: async (text) => {
        if (isPage(text)) await owner('select pg_sleep(0.5)');
      },
    };
    // As a node starts: a page that was not read in time is asked for again.
    await whileUnavailable(() => world.poll.start());
    const { rows } = await owner(`select count(distinct target)::int as ended
      from latchkey.revocations where target_kind = 'session'`);
    expect(rows[0].ended).toBeGreaterThanOrEqual(pageRows + 20);
    expect(world.memory.revocations.size).toBeGreaterThanOrEqual(rows[0].ended);
  });
});

async function rotate(): Promise<void> {
  const { access_token: token } = await api.admin();
  expect(
    (await api.call('POST', '/admin/keys/rotate', { token, body: { now: true } })).status,
  ).toBe(200);
}
