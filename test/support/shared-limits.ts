import { expect, it } from 'vitest';
import { createRateLimits } from '../../src/node/rate-limits.ts';
import type { SharedCounts } from '../../src/node/shared-counts.ts';
import { createSharedRateLimits } from '../../src/node/shared-rate-limits.ts';
import type { TestApi } from './api.ts';

export const failuresPerName = 20;

/** The statuses of so many wrong passwords for an address, side by side. */
export async function guess(node: TestApi, email: string, count: number): Promise<number[]> {
  const body = { email, password: 'the wrong passphrase' };
  return Promise.all(
    Array.from({ length: count }, async () => {
      return (await node.call('POST', '/auth/login', { body })).status;
    }),
  );
}

export const counted = (statuses: readonly number[], status: number) =>
  statuses.filter((each) => each === status).length;

/** `attempt` again, when a node has meanwhile decided alone: a busy machine is slow. */
async function together<T>(
  nodes: readonly TestApi[],
  attempt: (email: string) => Promise<T>,
): Promise<T> {
  const alone = async () =>
    (await Promise.all(nodes.map(({ node }) => node.metrics.registry.metrics())))
      .flatMap((text) => text.match(/^latchkey_rate_limits_alone_total.*/gm))
      .join();
  for (let each = 0; ; each += 1) {
    const before = await alone();
    const result = await attempt(`shared-${each}@example.com`);
    if ((await alone()) === before || each === 2) return result;
  }
}

export interface SharedLimitsWorld {
  readonly here: TestApi;
  readonly there: TestApi;
  /** One for each of two more nodes. */
  readonly counts: readonly [SharedCounts, SharedCounts];
}

/** What holds for each store that nodes count in together. */
export function holdsOverTwoNodes(world: () => SharedLimitsWorld): void {
  // Fails when each node counts for itself: then none of the 26 is refused.
  it('two nodes share the budget of wrong passwords', async () => {
    const { here, there } = world();
    const statuses = await together([here, there], async (email) => {
      const answers: number[] = [];
      for (let each = 0; each < 13; each += 1) {
        answers.push(...(await guess(here, email, 1)), ...(await guess(there, email, 1)));
      }
      return answers;
    });
    // A window that ends meanwhile begins to fade: that leaves room for one or two more.
    expect(counted(statuses, 401)).toBeGreaterThanOrEqual(failuresPerName);
    expect(counted(statuses, 401)).toBeLessThan(failuresPerName + 3);
    expect(statuses.slice(-3)).toEqual([429, 429, 429]);
  });

  // Fails when a limit is looked at in one step and counted in another.
  it('attempts side by side on two nodes do not exceed a budget', async () => {
    const nodes = world().counts.map((counts) =>
      createSharedRateLimits({
        local: createRateLimits({ enabled: true }),
        counts,
        secret: Buffer.from('a secret of this test'),
        onAlone: (reason) => expect.unreachable(`a node was alone: ${reason}`),
      }),
    );
    const payers = { address: '192.0.2.7', name: 'race@example.com' };
    const takes = Array.from({ length: 40 }, (_, each) =>
      Promise.resolve(nodes[each % 2]!.take('login_failure', payers)),
    );
    const outcomes = await Promise.allSettled(takes);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(failuresPerName);
  });

  it('a login with the right password gives its count back, on both', async () => {
    const { here, there } = world();
    const { email } = await here.register();
    for (let each = 0; each < 3; each += 1) {
      await here.logIn({ email });
      await there.logIn({ email });
    }
    await guess(here, email, 5);
    const statuses = [...(await guess(there, email, 5)), ...(await guess(here, email, 4))];
    expect(counted(statuses, 429)).toBe(0);
  });
}
