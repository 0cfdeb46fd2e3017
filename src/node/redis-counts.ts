import type { RedisLink, RedisUnavailableError } from '../platform/redis/link.ts';
import type { Charge } from './rate-limits.ts';
import { type SharedCounts, sharedAnswerMs } from './shared-counts.ts';

/**
 * The sliding window of `sliding-counts.ts`, in one hash for each key, by the clock of Redis: `w`
 * is the window, `c` the count in it and `p` that of the one before, which fades. Counts in all keys
 * or in none. A script is one step for every other client, so attempts side by side on several nodes
 * cannot exceed a limit. ARGV: `take` or `look`, then for each key its limit and window.
 */
const count = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait, counts, answer = 0, {}, {}
for i, key in ipairs(KEYS) do
  local limit, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local index = math.floor(now / window)
  local passed = now / window - index
  local stored = redis.call('HMGET', key, 'w', 'c', 'p')
  local at = tonumber(stored[1]) or index
  local current, previous = tonumber(stored[2]) or 0, tonumber(stored[3]) or 0
  if at == index - 1 then current, previous = 0, current end
  if at < index - 1 or at > index then current, previous = 0, 0 end
  local room = limit - 1
  if current + previous * (1 - passed) > room + 1e-9 then
    local room_at = current <= room and 1 - (room - current) / previous or 2 - room / current
    wait = math.max(wait, (room_at - passed) * window)
  end
  counts[i] = { index, current, previous, window }
  answer[i + 1] = index
end
answer[1] = math.ceil(wait)
if wait > 0 or ARGV[1] == 'look' then return answer end
for i, key in ipairs(KEYS) do
  local index, current, previous, window = unpack(counts[i])
  redis.call('HSET', key, 'w', index, 'c', current + 1, 'p', previous)
  redis.call('PEXPIRE', key, 2 * window)
end
return answer`;

/** ARGV: for each key the window in which it was counted. */
const undo = `
for i, key in ipairs(KEYS) do
  local stored = redis.call('HMGET', key, 'w', 'c', 'p')
  local age = (tonumber(stored[1]) or -2) - tonumber(ARGV[i])
  local field = age == 0 and 'c' or age == 1 and 'p' or nil
  local counted = field and tonumber(stored[age == 0 and 2 or 3]) or 0
  if counted > 0 then redis.call('HSET', key, field, counted - 1) end
end`;

/** Counts in Redis, by its clock. */
export function redisCounts(link: Pick<RedisLink, 'run'>): SharedCounts {
  const timing = { timeoutMs: sharedAnswerMs };
  const keysOf = (charges: readonly Charge[]) => charges.map(({ key }) => `latchkey:limit:${key}`);
  return {
    count(mode, charges) {
      const limitsAndWindows = charges.flatMap((charge) => [charge.count, charge.windowMs]);
      const args = [...keysOf(charges), mode, ...limitsAndWindows];
      return link
        .run((redis) => redis.eval(count, charges.length, ...args) as Promise<number[]>, timing)
        .then(([waitMs, ...windowIndexes]) => ({ waitMs: waitMs!, windowIndexes }))
        .catch((error: RedisUnavailableError) => error.reason);
    },
    undo(charges, { windowIndexes }) {
      const args = [...keysOf(charges), ...windowIndexes];
      link
        .run((redis) => redis.eval(undo, charges.length, ...args), timing)
        // Counted once too often: it fades with its window.
        .catch(() => {});
    },
  };
}
