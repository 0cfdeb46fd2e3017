import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longestNotedTtlSeconds } from '../../src/eventlog/access-token-lifetimes.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

describe('a node that is ready', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi({ ACCESS_TOKEN_EXPIRY_MS: '600000' });
  });
  afterAll(() => api.stop());

  // Fails when a node makes tokens before it has said how long they live.
  it('F6: has noted how long its tokens live', async () => {
    expect(await longestNotedTtlSeconds(api.node.cells.home.readers)).toBe(600);
  });
});
