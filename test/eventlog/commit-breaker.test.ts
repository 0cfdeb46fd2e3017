import { describe, expect, it } from 'vitest';
import { CommitBreaker, CommitsHangError } from '../../src/eventlog/commit-breaker.ts';
import { classifyFailure, unavailable } from '../../src/eventlog/failure.ts';
import { answering } from './answers.ts';

const append = { text: 'append' };

/** A server on which `hanging` commits wait, behind a breaker. */
function world() {
  const server = { hanging: 0, failure: null as Error | null };
  const asked = answering(() => [{ hanging: String(server.hanging) }]);
  const lane = answering(() => {
    if (server.failure !== null) throw server.failure;
    return [{ done: true }];
  });
  const client = new CommitBreaker(asked).guard(lane);
  const cut = async () => {
    server.failure = unavailable('no answer in time');
    await expect(client.query(append)).rejects.toBe(server.failure);
    server.failure = null;
  };
  return { server, asked: asked.asked, sent: lane.asked, client, cut };
}

describe('a commit breaker', () => {
  it('asks nothing while every try is answered, whatever the answer', async () => {
    const { server, asked, client } = world();
    expect((await client.query(append)).rows).toEqual([{ done: true }]);
    server.failure = new Error('refused');
    await expect(client.query(append)).rejects.toBe(server.failure);
    server.failure = null;
    await client.query(append);
    expect(asked).toEqual([]);
  });

  // Fails when tries go on: each leaves a server process that waits for the standby.
  it('sends nothing more once four commits hang, and says why', async () => {
    const { server, sent, client, cut } = world();
    await cut();
    server.hanging = 4;
    const refused = await client.query(append).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
    expect((refused as Error).cause).toBeInstanceOf(CommitsHangError);
    expect((refused as Error).cause).toMatchObject({ name: 'CommitsHangError' });
    expect(sent).toHaveLength(1);
  });

  // Fails when it counts as one that may be committed: the caller would read back what never was.
  it('calls what it holds back never sent', async () => {
    const { server, client, cut } = world();
    await cut();
    server.hanging = 9;
    const refused = await client.query(append).catch((error: unknown) => error);
    expect(classifyFailure(refused)).toEqual({ kind: 'other', error: refused });
  });

  it('sends while three hang, and goes on asking', async () => {
    const { server, asked, sent, client, cut } = world();
    await cut();
    server.hanging = 3;
    await client.query(append);
    expect(sent).toHaveLength(2);
    server.hanging = 4;
    await expect.poll(() => client.query(append).catch(() => 'held')).toBe('held');
    expect(asked).toHaveLength(2);
  });

  // Fails when every try asks for itself: a full pool would ask as often as it appends.
  it('asks once for the tries of a quarter of a second', async () => {
    const { server, asked, client, cut } = world();
    await cut();
    server.hanging = 4;
    const tries = Array.from({ length: 20 }, () => client.query(append).catch(() => 'held'));
    expect(new Set(await Promise.all(tries))).toEqual(new Set(['held']));
    expect(asked).toHaveLength(1);
    expect(asked[0]!.text).toContain('pg_stat_activity');
  });

  it('forgets its suspicion once none hangs', async () => {
    const { asked, client, cut } = world();
    await cut();
    await client.query(append);
    expect(asked).toHaveLength(1);
    const until = performance.now() + 300;
    await expect.poll(() => performance.now()).toBeGreaterThan(until);
    await client.query(append);
    expect(asked).toHaveLength(1);
  });
});
