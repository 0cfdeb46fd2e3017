import { Counter, type Registry } from 'prom-client';
import { readGauge } from '../platform/metrics/registry.ts';
import type { NodeMemory } from './node-memory.ts';
import type { SessionKeys } from './session-keys.ts';

/** Exports counts of session keys; never one by kid, as there is one for each session. */
export function observeSessionKeys(
  registry: Registry,
  memory: Pick<NodeMemory, 'sessionKeys' | 'sessionSigningKeys'>,
  ours: Pick<SessionKeys, 'pool' | 'lookup' | 'counts'>,
): void {
  const counters: readonly [
    name: string,
    help: string,
    read: () => Readonly<Record<string, number>>,
  ][] = [
    [
      'latchkey_session_key_cache_total',
      'Look-ups of the public keys of sessions in memory, by result',
      () => ({ hit: memory.sessionKeys.hits, miss: ours.lookup.misses }),
    ],
    [
      'latchkey_session_key_lookups_total',
      'Look-ups of the public keys of sessions in the database, by result',
      () => ours.lookup.results,
    ],
    [
      'latchkey_session_key_exceptions_total',
      'Logins without a key made ahead (pool_empty), live sessions without theirs (missing)',
      () => ours.counts,
    ],
  ];
  for (const [name, help, read] of counters) {
    new Counter({
      name,
      help,
      labelNames: ['result'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [result, count] of Object.entries(read())) this.inc({ result }, count);
      },
    });
  }
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    [
      'latchkey_session_keys_ready',
      'Session keys made ahead that no session has yet',
      () => ours.pool.size,
    ],
    [
      'latchkey_session_key_cache_entries',
      'Public keys of sessions in memory',
      () => memory.sessionKeys.size,
    ],
    [
      'latchkey_session_key_cache_bytes',
      'What the public keys of sessions take in memory, about',
      () => memory.sessionKeys.bytes,
    ],
    [
      'latchkey_session_signing_keys_entries',
      'Private keys of sessions in memory',
      () => memory.sessionSigningKeys.size,
    ],
  ];
  for (const [name, help, read] of gauges) readGauge(registry, { name, help }, read);
}
