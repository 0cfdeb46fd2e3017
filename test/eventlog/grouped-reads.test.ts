import { describe, expect, it } from 'vitest';
import { GroupedReads } from '../../src/eventlog/grouped-reads.ts';

type Answer = { rows: Record<string, unknown>[]; rowCount: number };

/** A database whose statements are answered when the test says so. */
function heldDatabase() {
  const sent: { ids: string[]; answer: (rows: Answer['rows']) => void; fail: () => void }[] = [];
  const query = ({ values }: { values?: unknown[] }) =>
    new Promise<Answer>((resolve, reject) => {
      sent.push({
        ids: values![0] as string[],
        answer: (rows) => resolve({ rows, rowCount: rows.length }),
        fail: () => reject(new Error('the database is gone')),
      });
    });
  const reads = new GroupedReads({ query }, { name: 'find', text: 'select', key: 'id' }, 1);
  return { reads, sent };
}

describe('reads of one row by id', () => {
  it('begin at once, or together after the one under way, never earlier', async () => {
    const { reads, sent } = heldDatabase();
    const first = reads.find('a');
    expect(sent.map(({ ids }) => ids)).toEqual([['a']]);
    const later = [reads.find('b'), reads.find('a'), reads.find('c')];
    expect(sent).toHaveLength(1);
    sent[0]!.answer([{ id: 'a', version: 1 }]);
    expect(await first).toEqual({ id: 'a', version: 1 });
    await expect.poll(() => sent.map(({ ids }) => ids)).toEqual([['a'], ['b', 'a', 'c']]);
    sent[1]!.answer([
      { id: 'a', version: 2 },
      { id: 'b', version: 7 },
    ]);
    expect(await Promise.all(later)).toEqual([
      { id: 'b', version: 7 },
      { id: 'a', version: 2 },
      null,
    ]);
  });

  it('fail with their statement, and the next ones are read all the same', async () => {
    const { reads, sent } = heldDatabase();
    const failing = reads.find('a');
    const next = reads.find('b');
    sent[0]!.fail();
    await expect(failing).rejects.toThrow('the database is gone');
    await expect.poll(() => sent.length).toBe(2);
    sent[1]!.answer([{ id: 'b' }]);
    expect(await next).toEqual({ id: 'b' });
  });

  it('take a hundred at most, and the rest one statement later', async () => {
    const { reads, sent } = heldDatabase();
    const ids = ['first', ...Array.from({ length: 130 }, (_, index) => `id-${index}`)];
    const answers = Promise.all(ids.map((id) => reads.find(id)));
    sent[0]!.answer([]);
    await expect.poll(() => sent.length).toBe(2);
    expect(sent[1]!.ids).toHaveLength(100);
    sent[1]!.answer([]);
    await expect.poll(() => sent.length).toBe(3);
    expect(sent[2]!.ids).toHaveLength(30);
    sent[2]!.answer([]);
    expect(new Set(await answers)).toEqual(new Set([null]));
  });

  // Fails when a read waits for as long as the database hangs: a refresh that was answered 503 would
  // be decided and appended long after.
  it('are unavailable after a second, whether their statement waits or they do', async () => {
    const { reads, sent } = heldDatabase();
    const started = performance.now();
    const answers = await Promise.allSettled([reads.find('a'), reads.find('b')]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((answers[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'unavailable' });
    expect(performance.now() - started).toBeGreaterThanOrEqual(999);
    sent[0]!.answer([]);
    const later = reads.find('c');
    await expect.poll(() => sent.map(({ ids }) => ids)).toEqual([['a'], ['c']]);
    sent[1]!.answer([{ id: 'c' }]);
    expect(await later).toEqual({ id: 'c' });
  });
});
