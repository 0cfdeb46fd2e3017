import { describe, expect, it } from 'vitest';
import { type Command, ConflictError } from '../../src/eventlog/command.ts';
import { CommandHandler, type HandlerOptions } from '../../src/eventlog/handle.ts';
import { commandOf } from '../support/session-commands.ts';

describe('a command whose reads outlast its deadline', () => {
  // Fails when the deadline is asked before the reads alone: the caller has heard 503, tries again,
  // and its first try ends a session or rotates a token behind its back.
  it('is not appended after its caller was answered', async () => {
    const appended: Command[] = [];
    const writer = {
      append: async (command: Command) => {
        appended.push(command);
        return { streams: [] };
      },
    };
    const handler = new CommandHandler(writer, { confirm: async () => {} });
    const { promise: reads, resolve: readsEnd } = Promise.withResolvers<void>();
    const { promise: tried, resolve: hasTried } = Promise.withResolvers<void>();
    const answer = handler.run('a key', async () => {
      await reads;
      setImmediate(hasTried);
      return { command: commandOf([]), answer: () => 'done' };
    });
    await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
    readsEnd();
    await tried;
    expect(appended).toEqual([]);
  });
});

describe('a handler', () => {
  const command = commandOf([]);
  const conflict = new ConflictError([]);

  /** Appends `outcomes` one after the other: an error is thrown. */
  function world(outcomes: readonly (Error | null)[] = [], options: Partial<HandlerOptions> = {}) {
    const left = [...outcomes];
    const done: string[] = [];
    const writer = {
      append: async () => {
        done.push('appended');
        const outcome = left.shift() ?? null;
        if (outcome !== null) throw outcome;
        return { streams: [] };
      },
    };
    const confirm = async () => void done.push('confirmed');
    return { done, handler: new CommandHandler(writer, { confirm, ...options }) };
  }

  it('answers once the command is appended', async () => {
    const { done, handler } = world();
    const answer = () => {
      done.push('answered');
      return 7;
    };
    expect(await handler.run('a key', async () => ({ command, answer }))).toBe(7);
    expect(done).toEqual(['appended', 'answered']);
  });

  // Fails when a repeat that finds the work done promises less than the first answer did.
  it('confirms what it read before it answers without a command', async () => {
    const { done, handler } = world();
    const attempt = async () => ({ command: null, answer: () => done.join() });
    expect(await handler.run('a key', attempt)).toBe('confirmed');
  });

  it('decides again on a conflict, and passes any other failure on', async () => {
    const { handler } = world([conflict, conflict, null]);
    let tries = 0;
    const attempt = async () => {
      tries += 1;
      return { command, answer: () => tries };
    };
    expect(await handler.run('a key', attempt)).toBe(3);
    const failure = new Error('cut');
    const failing = world([failure]);
    await expect(failing.handler.run('a key', attempt)).rejects.toBe(failure);
    expect(failing.done).toEqual(['appended']);
  });

  it('gives up on conflicts at its deadline, with the last one as the reason', async () => {
    const { handler } = world(Array(100_000).fill(conflict));
    const startedAt = performance.now();
    const run = handler.run('a key', async () => ({ command, answer: () => 0 }));
    await expect(run).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - startedAt).toBeGreaterThan(1_400);
  });

  it('asks before each attempt whether the log may be worked with', async () => {
    const refusal = new Error('refused');
    const requireLog = () => {
      throw refusal;
    };
    const { done, handler } = world([], { requireLog });
    const run = handler.run('a key', async () => ({ command, answer: () => 0 }));
    await expect(run).rejects.toBe(refusal);
    expect(done).toEqual([]);
  });

  // Fails when two attempts of one key run side by side, or those of different keys do not.
  it('takes one attempt of a key after the other', async () => {
    const { handler } = world();
    const { promise: reads, resolve: readsEnd } = Promise.withResolvers<void>();
    const order: string[] = [];
    const attempt = (name: string, wait: Promise<void>) => async () => {
      order.push(name);
      await wait;
      return { command: null, answer: () => name };
    };
    const first = handler.run('a key', attempt('first', reads));
    const second = handler.run('a key', attempt('second', Promise.resolve()));
    await handler.run('another key', attempt('other', Promise.resolve()));
    expect(order).toEqual(['first', 'other']);
    readsEnd();
    expect(await Promise.all([first, second])).toEqual(['first', 'second']);
    expect(order).toEqual(['first', 'other', 'second']);
  });

  // Fails when what waited in the queue until its caller had gone is still done.
  it('does not begin an attempt whose caller was answered while it waited', async () => {
    const { handler } = world();
    const { promise: reads, resolve: readsEnd } = Promise.withResolvers<void>();
    let began = 0;
    const slow = handler.run('a key', async () => {
      await reads;
      return { command: null, answer: () => 0 };
    });
    const queued = handler.run('a key', async () => {
      began += 1;
      return { command: null, answer: () => 0 };
    });
    await expect(slow).rejects.toMatchObject({ code: 'unavailable' });
    await expect(queued).rejects.toMatchObject({ code: 'unavailable' });
    readsEnd();
    await new Promise(setImmediate);
    expect(began).toBe(0);
  });
});
