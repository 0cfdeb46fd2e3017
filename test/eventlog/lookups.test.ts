import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  longestNotedTtlSeconds,
  noteAccessTokenTtl,
} from '../../src/eventlog/access-token-lifetimes.ts';
import { requireSameClock } from '../../src/eventlog/database-clock.ts';
import { isCommandInLog } from '../../src/eventlog/find-command.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { openTestLog, type TestLog } from '../support/event-log.ts';
import { commandOf, touch } from '../support/session-commands.ts';

let log: TestLog;
beforeAll(async () => {
  log = await openTestLog();
});
afterAll(() => log.close());

describe('a command', () => {
  // Fails when a retry that finds another command's event takes it for its own.
  it('is in the log once it has left an event in the stream, and no other is', async () => {
    const streamId = newId();
    const command = commandOf([touch(streamId, 'none')]);
    const isThere = (stream: string, commandId: string) =>
      isCommandInLog(log.pools.readers, stream, commandId);
    expect(await isThere(streamId, command.commandId)).toBe(false);
    await log.writer.append(command);
    expect(await isThere(streamId, command.commandId)).toBe(true);
    expect(await isThere(streamId, newId())).toBe(false);
    expect(await isThere(newId(), command.commandId)).toBe(false);
  });
});

describe('the longest life of an access token', () => {
  const age = (interval: string) =>
    log.owner.query(
      `update latchkey.access_token_lifetimes set noted_at = clock_timestamp() - $1::interval`,
      [interval],
    );

  // Fails when a life is forgotten before its last token has expired, two notes later.
  it('is that of each node that has noted one and may still make such tokens', async () => {
    const { readers, writers } = log.pools;
    expect(await longestNotedTtlSeconds(readers)).toBe(24 * 60 * 60);
    await noteAccessTokenTtl(writers, 600);
    await noteAccessTokenTtl(writers, 300);
    expect(await longestNotedTtlSeconds(readers)).toBe(600);
    await age('7400 seconds');
    expect(await longestNotedTtlSeconds(readers)).toBe(600);
    await age('7790 seconds');
    expect(await longestNotedTtlSeconds(readers)).toBe(600);
    await age('7810 seconds');
    expect(await longestNotedTtlSeconds(readers)).toBe(24 * 60 * 60);
    await noteAccessTokenTtl(writers, 300);
    expect(await longestNotedTtlSeconds(readers)).toBe(300);
  });
});

describe('the clock of the database', () => {
  it('is that of this machine, where both are one', async () => {
    await expect(requireSameClock(log.pools.readers, Date.now)).resolves.toBeUndefined();
  });
});
