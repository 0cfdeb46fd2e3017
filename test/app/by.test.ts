import { describe, expect, it } from 'vitest';
import { type By, byProgram, metaOf, turnOf } from '../../src/app/by.ts';
import type { Actor } from '../../src/domain/kernel/actor.ts';

const by = (change: Partial<By> = {}): By => ({
  actor: { type: 'anonymous', id: null },
  requestId: 'a request',
  correlationId: 'a correlation',
  address: '192.0.2.7',
  userAgent: null,
  ...change,
});

describe('who stands in the meta of an event', () => {
  const actors: Record<Actor['type'], By> = {
    anonymous: by(),
    user: by({ actor: { type: 'user', id: 'ada' } }),
    admin: by({ actor: { type: 'admin', id: 'grace' } }),
    client: by({ actor: { type: 'client', id: 'shop' } }),
    worker: byProgram('worker', 'worker', 'a run'),
    system: byProgram('system', 'cli'),
  };

  // Fails when the kind of the actor or its id is lost, or another's is written.
  it.each(Object.entries(actors))('is %s, and its id', (type, acting) => {
    const { actor_type, actor } = metaOf(acting);
    expect([actor_type, actor]).toEqual([type, acting.actor.id]);
  });

  it('is beside the ids of the request, or of the run', () => {
    expect(metaOf(by())).toMatchObject({
      request_id: 'a request',
      correlation_id: 'a correlation',
    });
    expect(metaOf(actors.worker)).toMatchObject({ request_id: 'a run', correlation_id: 'a run' });
  });
});

describe('a turn in the queue of hashes', () => {
  const groupOf = (address: string) => turnOf(by({ address })).group;

  // Fails when the group is the address: a network of 256 addresses would have as many turns.
  it.each([
    ['192.0.2.7', '192.0.2.200'],
    ['2001:db8:1:1::1', '2001:db8:1:ffff::2'],
  ])('is shared by %s and %s, which are of one network', (one, other) => {
    expect(groupOf(one)).toBe(groupOf(other));
  });

  it.each([
    ['192.0.2.7', '192.0.3.7'],
    ['2001:db8:1::1', '2001:db8:2::1'],
  ])('is not shared by %s and %s, which are of two', (one, other) => {
    expect(groupOf(one)).not.toBe(groupOf(other));
  });

  it('of a program is its own', () => {
    expect(turnOf(byProgram('system', 'cli'))).toEqual({ group: 'cli' });
    expect(turnOf(byProgram('worker', 'worker'))).toEqual({ group: 'worker' });
  });

  it('ends when its caller has left', () => {
    const hasLeft = () => true;
    expect(turnOf(by({ hasLeft })).hasLeft).toBe(hasLeft);
    expect(turnOf(by())).not.toHaveProperty('hasLeft');
  });
});
