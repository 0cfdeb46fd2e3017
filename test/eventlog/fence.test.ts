import { describe, expect, it } from 'vitest';
import { Fence, settledPosition } from '../../src/eventlog/fence.ts';
import { LogIdentityError } from '../../src/eventlog/log-identity.ts';
import { answering } from './answers.ts';

const primary = { standby: false, read_only: 'off', server: 'a', doubt: null as string | null };

/** A log whose sequence and lock holders a test says. */
function world() {
  const log = { ceiling: 0, holders: [] as string[], ...primary };
  const client = answering(({ name }) =>
    name === 'fence-ceiling'
      ? [{ ...log, ceiling: String(log.ceiling) }]
      : log.holders.map((virtualtransaction) => ({ virtualtransaction })),
  );
  const at = (ceiling: number, ...holders: string[]) => Object.assign(log, { ceiling, holders });
  return { log, at, client, fence: new Fence(client) };
}

describe('the fence', () => {
  it('settles at once what nobody may still append', async () => {
    const { at, fence } = world();
    at(7);
    expect(await fence.advance()).toBe(7);
    expect([fence.waiting, fence.pending]).toEqual([false, 0]);
  });

  // Fails when a position is settled before those who might have drawn a lower one are gone.
  it('waits for those who held the lock by then, and for nobody later', async () => {
    const { at, fence } = world();
    at(7, 'slow', 'fast');
    expect(await fence.advance()).toBe(0);
    at(9, 'slow', 'later');
    expect(await fence.advance()).toBe(0);
    expect([fence.waiting, fence.pending]).toEqual([true, 2]);
    at(12, 'later');
    expect(await fence.advance()).toBe(7);
    at(12);
    expect(await fence.advance()).toBe(12);
    expect(fence.pending).toBe(0);
  });

  it('asks for no holders while nothing was drawn since all had settled', async () => {
    const { at, client, fence } = world();
    at(7);
    await fence.advance();
    expect(client.asked).toHaveLength(2);
    expect(await fence.advance()).toBe(7);
    expect(client.asked).toHaveLength(3);
    at(8);
    expect(await fence.advance()).toBe(8);
    expect(client.asked).toHaveLength(5);
  });

  it('keeps few positions under an append that is held, and forgets none of it', async () => {
    const { at, fence } = world();
    for (let ceiling = 1; ceiling <= 500; ceiling += 1) {
      at(ceiling, 'held');
      expect(await fence.advance()).toBe(0);
      expect(fence.pending).toBeLessThanOrEqual(64);
    }
    at(500);
    expect(await fence.advance()).toBe(500);
  });

  it.each([
    [{ standby: true }, /not a writable primary/],
    [{ read_only: 'on' }, /not a writable primary/],
    [{ server: 'b' }, /another server/],
    [{ doubt: 'position 5 is gone' }, /position 5 is gone/],
  ])('goes no further with %j', async (change, message) => {
    const { log, at, fence } = world();
    at(7);
    await fence.advance();
    Object.assign(log, change);
    const advanced = fence.advance();
    await expect(advanced).rejects.toThrow(message);
    const isIdentity = await advanced.catch((error) => error instanceof LogIdentityError);
    expect(isIdentity).toBe('doubt' in change);
  });
});

describe('the settled position', () => {
  it('is waited for while an append is under way', async () => {
    const { log, at, client } = world();
    at(7, 'slow');
    const settled = settledPosition(client, 10_000);
    await expect.poll(() => client.asked.length, { interval: 1 }).toBeGreaterThan(3);
    log.holders = [];
    expect(await settled).toBe(7);
  });

  it('is 0 of an empty log, and while an append is held for longer than asked', async () => {
    expect(await settledPosition(world().client, 10_000)).toBe(0);
    const { at, client } = world();
    at(7, 'held');
    const startedAt = performance.now();
    expect(await settledPosition(client, 50)).toBe(0);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(50);
  });
});
