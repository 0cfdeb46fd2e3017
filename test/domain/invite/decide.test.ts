import { describe, expect, it } from 'vitest';
import { inviteDecider, type UseInvite } from '../../../src/domain/invite/decide.ts';
import type { InviteEvent } from '../../../src/domain/invite/events.ts';
import { specificationFor } from '../../support/decider-specification.ts';

const { given } = specificationFor(inviteDecider);
const now = 1_700_000_000_000;
const expiresAt = now + 86_400_000;
const said = { secretHash: 'hash', expiresAt, createdBy: 'admin' };
const created: InviteEvent = { type: 'InviteCreated', data: { at: now, ...said } };
const used: InviteEvent = { type: 'InviteUsed', data: { at: now + 1, userId: 'alice' } };
const use: UseInvite = { type: 'UseInvite', now: now + 1, secretHash: 'hash', userId: 'alice' };

describe('creating an invite', () => {
  const create = { type: 'CreateInvite', now, ...said } as const;

  it('records the hash of its secret, its end and its author', () => {
    const outcome = given().when(create);
    outcome.thenRecords(created);
    expect(outcome.state()).toStrictEqual({
      ...{ status: 'open', secretHash: 'hash', createdBy: 'admin', createdAt: now, expiresAt },
      ...{ tries: 0, usedAt: null, usedBy: null },
    });
  });

  it('happens once', () => {
    given(created).when(create).thenRefuses('conflict');
    given(created, used).when(create).thenRefuses('conflict');
  });

  it('breaks when it would be born expired', () => {
    given()
      .when({ ...create, expiresAt: now })
      .thenBreaks(/expires after/);
  });
});

describe('using an invite', () => {
  it('records whom it let in', () => {
    given(created).when(use).thenRecords(used);
    expect(given(created).when(use).state()).toMatchObject({
      status: 'used',
      usedBy: 'alice',
      usedAt: now + 1,
    });
  });

  // Fails when `use` does not look at the status: one invite would let in everybody.
  it('works once, also for the same user', () => {
    given(created, used)
      .when({ ...use, userId: 'bob' })
      .thenRefuses('forbidden');
    given(created, used).when(use).thenRefuses('forbidden');
  });

  // Fails when the secrets are not compared: the id of an invite would be enough.
  it('needs its secret', () => {
    given(created)
      .when({ ...use, secretHash: 'another' })
      .thenRefuses('forbidden');
    given()
      .when({ ...use, secretHash: '' })
      .thenRefuses('forbidden');
  });

  // Fails when the end of an invite is not looked at, or its last instant counts as inside.
  it('ends at its expiry', () => {
    given(created)
      .when({ ...use, now: expiresAt - 1 })
      .thenRecords({ type: 'InviteUsed', data: { at: expiresAt - 1, userId: 'alice' } });
    given(created)
      .when({ ...use, now: expiresAt })
      .thenRefuses('forbidden');
  });
});

describe('C5: an invite that meets a taken address', () => {
  const tried: InviteEvent = { type: 'InviteTried', data: { at: now + 1 } };
  const attempt = { type: 'TryInvite', now: now + 1, secretHash: 'hash' } as const;
  const times = (count: number) => Array<InviteEvent>(count).fill(tried);

  it('records the try, and not the address', () => {
    given(created).when(attempt).thenRecordsAndRefuses('conflict', tried);
  });

  // Fails when tries are not counted, or one more than allowed is.
  it('is good for a registration after four tries, and for nothing after five', () => {
    given(created, ...times(4))
      .when(use)
      .thenRecords(used);
    given(created, ...times(4))
      .when(attempt)
      .thenRecordsAndRefuses('conflict', tried);
    given(created, ...times(5))
      .when(attempt)
      .thenRefuses('forbidden');
    given(created, ...times(5))
      .when(use)
      .thenRefuses('forbidden');
  });

  it('is not tried once it is used, expired or another one', () => {
    given(created, used).when(attempt).thenRefuses('forbidden');
    given(created)
      .when({ ...attempt, now: expiresAt })
      .thenRefuses('forbidden');
    given(created)
      .when({ ...attempt, secretHash: 'another' })
      .thenRefuses('forbidden');
  });

  it('tells the log, and nobody else, why it is good for nothing', () => {
    const why = (history: InviteEvent[], change: Partial<UseInvite>, detail: string) =>
      given(...history)
        .when({ ...use, ...change })
        .thenRefuses('forbidden', { detail: `invite: ${detail}`, facts: undefined });
    why([], {}, 'unknown');
    why([created], { secretHash: 'another' }, 'wrong secret');
    why([created, used], {}, 'used');
    why([created, ...times(5)], {}, 'tried too often');
    why([created], { now: expiresAt }, 'expired');
  });
});
