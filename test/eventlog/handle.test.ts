import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/eventlog/command.ts';
import { CommandHandler } from '../../src/eventlog/handle.ts';
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
