import { describe, expect, test } from 'vitest';
import { FairQueue, type ShedReason, type Turn } from '../../src/platform/fair-queue.ts';

/** A queue of one worker whose work ends when the test says so. */
function queue({ queueMax = 12, groupQueueMax = 6 } = {}) {
  const shed: ShedReason[] = [];
  const begun: string[] = [];
  const refused: string[] = [];
  let finish: () => void = () => {};
  const fair = new FairQueue({
    concurrencyMax: 1,
    queueMax,
    groupQueueMax,
    onShed: (reason) => shed.push(reason),
  });
  const enter = (name: string, turn: Turn) =>
    fair
      .run(turn, () => {
        begun.push(name);
        return new Promise<void>((resolve) => {
          finish = resolve;
        });
      })
      .catch((error: unknown) => {
        refused.push(name);
        return error;
      });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    fair,
    shed,
    begun,
    refused,
    enter,
    settle,
    /** Ends the work that runs, `count` times. */
    finish: async (count = 1) => {
      for (let n = 0; n < count; n += 1) {
        finish();
        await settle();
      }
    },
  };
}

const group = (name: string): Turn => ({ group: name });
const gone = (name: string): Turn => ({ group: name, hasLeft: () => true });

describe('C2: the queue of hashes', () => {
  // Fails when the queue is one line for all.
  test('serves a newcomer next, however many turns of a flooding group wait', async () => {
    const { enter, finish, begun } = queue();
    for (let n = 1; n <= 5; n += 1) void enter(`flood ${n}`, group('flood'));
    void enter('honest', group('honest'));
    await finish(2);
    expect(begun).toEqual(['flood 1', 'honest', 'flood 2']);
  });

  // Fails when groups only take turns: a newcomer would wait for one turn of each that floods.
  test('serves a newcomer before every one of several groups that flood', async () => {
    const { enter, finish, begun } = queue();
    for (const name of ['a', 'b', 'c', 'd']) {
      void enter(`${name} 1`, group(name));
      void enter(`${name} 2`, group(name));
    }
    await finish(5);
    void enter('honest', group('honest'));
    await finish();
    expect(begun.slice(0, 4)).toEqual(['a 1', 'b 1', 'c 1', 'd 1']);
    expect(begun.at(-1)).toBe('honest');
  });

  // Fails when only what was served counts: an office that logged in a minute ago would be behind
  // five addresses that come with a flood.
  test('serves a group that was served before a flood that is new', async () => {
    const { enter, finish, begun } = queue();
    for (let n = 0; n < 3; n += 1) {
      void enter('office', group('office'));
      await finish();
    }
    for (let n = 0; n < 6; n += 1) void enter(`flood ${n}`, group('flood'));
    for (let n = 0; n < 6; n += 1) void enter(`other ${n}`, group('other'));
    void enter('office again', group('office'));
    await finish(2);
    expect(begun.slice(3)).toEqual(['flood 0', 'office again', 'other 0']);
  });

  test('serves groups that wait side by side in turn', async () => {
    const { enter, finish, begun } = queue();
    for (const name of ['a', 'b', 'c']) {
      for (let n = 1; n <= 3; n += 1) void enter(`${name} ${n}`, group(name));
    }
    await finish(8);
    expect(begun).toEqual(['a 1', 'b 1', 'c 1', 'a 2', 'b 2', 'c 2', 'a 3', 'b 3', 'c 3']);
  });

  test('serves preferred turns first, and those of one group no more than those of another', async () => {
    const { enter, finish, begun } = queue();
    void enter('running', group('x'));
    void enter('stranger', group('y'));
    for (const n of [1, 2]) void enter(`a ${n}`, { group: 'a', preferred: true });
    void enter('b 1', { group: 'b', preferred: true });
    await finish(4);
    expect(begun).toEqual(['running', 'b 1', 'a 1', 'a 2', 'stranger']);
  });

  // Fails when a full queue refuses whoever comes last.
  test('when it is full, sheds turns of the group with the most, and only those', async () => {
    const { enter, settle, refused, shed, fair } = queue({ queueMax: 6 });
    for (let n = 0; n <= 6; n += 1) void enter(`flood ${n}`, group('flood'));
    for (const name of ['honest 1', 'honest 2']) void enter(name, group(name));
    await settle();
    expect([refused, shed]).toEqual([
      ['flood 6', 'flood 5'],
      ['displaced', 'displaced'],
    ]);
    void enter('flood 7', group('flood'));
    await settle();
    expect([refused.at(-1), shed.at(-1)]).toEqual(['flood 7', 'queue_full']);
    expect(fair.queued).toBe(6);
  });

  test('gives one group no more than its places', async () => {
    const { enter, settle, refused, shed } = queue({ queueMax: 12, groupQueueMax: 2 });
    for (let n = 0; n < 4; n += 1) void enter(`flood ${n}`, group('flood'));
    void enter('honest', group('honest'));
    await settle();
    expect([refused, shed]).toEqual([['flood 3'], ['group_full']]);
  });

  // Fails when preferred turns share the places of their group: a flood from behind the same
  // address would shed them.
  test('has a place for a preferred turn of a group that floods', async () => {
    const { enter, settle, finish, refused, begun } = queue({ queueMax: 3, groupQueueMax: 3 });
    for (let n = 0; n <= 3; n += 1) void enter(`flood ${n}`, group('flood'));
    void enter('holder', { group: 'flood', preferred: true });
    await settle();
    expect(refused).toEqual(['flood 3']);
    await finish();
    expect(begun).toEqual(['flood 0', 'holder']);
  });

  test('never takes a place from a preferred turn for one that is not', async () => {
    const { enter, settle, refused } = queue({ queueMax: 3, groupQueueMax: 3 });
    void enter('running', group('x'));
    for (let n = 0; n < 3; n += 1) void enter(`holder ${n}`, { group: 'a', preferred: true });
    void enter('stranger', group('y'));
    await settle();
    expect(refused).toEqual(['stranger']);
  });

  // Fails when Retry-After is a constant.
  test('tells who is shed how long the queue takes to drain', async () => {
    const { enter, shed } = queue({ queueMax: 100, groupQueueMax: 100 });
    for (let n = 0; n <= 100; n += 1) void enter(`${n}`, group('a'));
    // 101 pieces of work, of 50 ms each until one has been measured.
    expect(await enter('last', group('a'))).toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 6,
    });
    expect(shed).toEqual(['group_full']);
  });

  // Fails when a turn keeps its place after its caller hung up: 100 connections that open, ask and
  // close would fill the queue for everybody.
  test('gives the places of callers who hung up to those who come', async () => {
    const { enter, finish, begun, refused, shed } = queue({ queueMax: 3, groupQueueMax: 3 });
    void enter('runs', group('flood'));
    for (let n = 1; n <= 3; n += 1) void enter(`gone ${n}`, gone('flood'));
    void enter('honest', group('flood'));
    await finish();
    expect(begun).toEqual(['runs', 'honest']);
    expect(refused).toEqual(['gone 1', 'gone 2', 'gone 3']);
    expect(shed).toEqual(['left', 'left', 'left']);
  });

  // Fails when work is begun for a caller who hung up while its turn waited.
  test('does no work for a caller who hung up while waiting', async () => {
    const { enter, finish, begun, fair } = queue();
    void enter('runs', group('a'));
    void enter('gone', gone('a'));
    await finish();
    expect(begun).toEqual(['runs']);
    expect(fair.running).toBe(0);
  });
});
