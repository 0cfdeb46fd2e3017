import { describe, expect, it } from 'vitest';
import { Confirmation } from '../../src/eventlog/confirm.ts';
import { answering } from './answers.ts';

/** A server that confirms when the test says so. */
function world() {
  const answers: PromiseWithResolvers<object[]>[] = [];
  const client = answering(() => {
    const answer = Promise.withResolvers<object[]>();
    answers.push(answer);
    return answer.promise;
  });
  return { answers, asked: client.asked, confirmation: new Confirmation(client) };
}

const settled = () => new Promise(setImmediate);

describe('a confirmation', () => {
  it('asks the server, and resolves when it has answered', async () => {
    const { answers, asked, confirmation } = world();
    let done = false;
    const confirmed = confirmation.confirm().then(() => {
      done = true;
    });
    await settled();
    expect(asked.map(({ text }) => text)).toEqual(['select latchkey.confirm()']);
    expect(done).toBe(false);
    answers[0]!.resolve([]);
    await confirmed;
  });

  // Fails when who comes later takes the answer of one that began before they had read.
  it('is shared by those who come while another is under way, and begins after it', async () => {
    const { answers, asked, confirmation } = world();
    const first = confirmation.confirm();
    const later = [confirmation.confirm(), confirmation.confirm(), confirmation.confirm()];
    await settled();
    expect(asked).toHaveLength(1);
    answers[0]!.resolve([]);
    await first;
    await settled();
    expect(asked).toHaveLength(2);
    const last = confirmation.confirm();
    answers[1]!.resolve([]);
    await Promise.all(later);
    await settled();
    expect(asked).toHaveLength(3);
    answers[2]!.resolve([]);
    await last;
  });

  it('asks again for each who comes when none is under way', async () => {
    const { answers, asked, confirmation } = world();
    for (const turn of [0, 1]) {
      const confirmed = confirmation.confirm();
      answers[turn]!.resolve([]);
      await confirmed;
    }
    expect(asked).toHaveLength(2);
  });

  it('fails for those who wait for it alone, not for those after them', async () => {
    const { answers, confirmation } = world();
    const first = confirmation.confirm();
    const second = confirmation.confirm();
    answers[0]!.reject(new Error('cut'));
    await expect(first).rejects.toThrow('cut');
    await settled();
    answers[1]!.resolve([]);
    await expect(second).resolves.toBeUndefined();
  });
});
