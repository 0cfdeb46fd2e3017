import { describe, expect, it } from 'vitest';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { LogIdentityError } from '../../src/eventlog/log-identity.ts';
import { openLog } from '../../src/eventlog/open-log.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { testSeal } from '../support/seal.ts';
import { commandOf, touch } from '../support/session-commands.ts';
import { answering } from './answers.ts';

/** A log that appends every command, whose only stream then ends at position 7. */
function world() {
  const writers = answering(() => [{ version: 1, guard_v: '0', pos: '7' }]);
  const readers = answering(() => []);
  const guard = new LogGuard();
  const told: unknown[] = [];
  const options = { seal: testSeal, onAppended: (...of: unknown[]) => void told.push(of[0]) };
  return { writers, readers, guard, told, ...openLog({ writers, readers }, guard, options) };
}

describe('an open log', () => {
  // Fails when a process does work on a log that it refuses.
  it('does nothing once its guard refuses it', async () => {
    const { guard, handler, writers, readers } = world();
    guard.refuse(new LogIdentityError('another log'));
    const run = handler.run('a key', async () => ({ command: null, answer: () => 7 }));
    await expect(run).rejects.toMatchObject({ code: 'unavailable' });
    expect([...writers.asked, ...readers.asked]).toEqual([]);
  });

  it('confirms by the readers what it answers without a command', async () => {
    const { handler, readers } = world();
    await handler.run('a key', async () => ({ command: null, answer: () => 7 }));
    expect(readers.asked.map(({ name }) => name)).toEqual(['confirm']);
  });

  it('sends what goes the way of an append by the writers', async () => {
    const { appender, writers } = world();
    await appender.query({ text: 'select 1' });
    expect(writers.asked.map(({ text }) => text)).toEqual(['select 1']);
  });

  // Fails when what was appended is not noted: a loss of it would not be found.
  it('notes what it has appended, for the guard and for who asked to be told', async () => {
    const { handler, guard, told } = world();
    const command = commandOf([touch(newId(), 'none')]);
    await handler.run('a key', async () => ({ command, answer: () => 7 }));
    expect(guard.sightings.highestPos).toBe(7);
    expect(told).toEqual([command]);
  });
});
