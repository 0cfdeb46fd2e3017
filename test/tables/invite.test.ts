import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeInvite } from '../../src/app/invite/change-invite.ts';
import type { InviteCommand } from '../../src/domain/invite/decide.ts';
import { ConflictError } from '../../src/eventlog/command.ts';
import { readStream } from '../../src/eventlog/read.ts';
import { Writer } from '../../src/eventlog/writer.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { createPools, type Pools } from '../../src/platform/postgres/pool.ts';
import type { Change } from '../../src/tables/change.ts';
import { findInvite } from '../../src/tables/invite.ts';
import { silentLogger } from '../support/cluster.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';
import { testSeal, withTestSeal } from '../support/seal.ts';
import { testMeta } from '../support/session-commands.ts';

const now = Date.parse('2026-01-05T10:00:00Z');
const create: InviteCommand = {
  type: 'CreateInvite',
  now,
  secretHash: 'hash',
  expiresAt: now + 86_400_000,
  createdBy: 'cli',
};
const use: InviteCommand = {
  type: 'UseInvite',
  now: now + 1,
  secretHash: 'hash',
  userId: newId(),
};

describe('the row of an invite', () => {
  let database: TestDatabase;
  let pools: Pools;
  let writer: Writer;
  beforeAll(async () => {
    database = await createTestDatabase();
    pools = createPools({
      databaseUrl: database.appUrl,
      readers: 2,
      applicationName: 'test',
      logger: silentLogger,
    });
    writer = new Writer({ lanes: [pools.writers], readers: pools.readers, seal: testSeal });
  });
  afterAll(async () => {
    await pools.end();
    await database.drop();
  });

  const append = ({ touch, rows }: Change<unknown>) =>
    writer.append({
      commandId: newId(),
      meta: testMeta,
      streams: [touch],
      rows,
    });

  it('is the folded state, from its creation to its use', async () => {
    const inviteId = newId();
    expect(await findInvite(withTestSeal(pools.readers), inviteId)).toBeNull();

    const created = changeInvite(inviteId, null, create);
    await append(created);
    const open = await findInvite(withTestSeal(pools.readers), inviteId);
    expect(open).toStrictEqual({ inviteId, version: 1, state: created.state });

    const tried = changeInvite(inviteId, open, { type: 'TryInvite', now, secretHash: 'hash' });
    await append(tried);
    const once = await findInvite(withTestSeal(pools.readers), inviteId);
    expect(once).toStrictEqual({ inviteId, version: 2, state: { ...created.state, tries: 1 } });

    const used = changeInvite(inviteId, once, use);
    await append(used);
    expect(await findInvite(withTestSeal(pools.readers), inviteId)).toStrictEqual({
      inviteId,
      version: 3,
      state: used.state,
    });
    const events = await readStream(pools.readers, inviteId);
    expect(events.map(({ kind, type }) => [kind, type])).toStrictEqual([
      [5, 'InviteCreated'],
      [5, 'InviteTried'],
      [5, 'InviteUsed'],
    ]);
  });

  // Fails when the use does not expect the version it was decided on: one invite would let in two users.
  it('is used by one of two that come at once', async () => {
    const inviteId = newId();
    await append(changeInvite(inviteId, null, create));
    const open = await findInvite(withTestSeal(pools.readers), inviteId);
    const outcomes = await Promise.allSettled(
      [newId(), newId()].map((userId) => append(changeInvite(inviteId, open, { ...use, userId }))),
    );
    expect(outcomes.map(({ status }) => status).sort()).toStrictEqual(['fulfilled', 'rejected']);
    const refused = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toBeInstanceOf(ConflictError);
  });

  it('stands on events that cannot be changed, on their partition either', async () => {
    await append(changeInvite(newId(), null, create));
    await withClient(database.ownerUrl, async (owner) => {
      for (const statement of [
        'truncate latchkey.events_invite',
        'delete from latchkey.events_invite',
        `update latchkey.events_invite set type = 'Other'`,
      ]) {
        await expect(owner.query(statement)).rejects.toThrow(/append-only/);
      }
    });
  });
});
