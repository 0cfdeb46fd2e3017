import { Counter, Gauge, type Registry } from 'prom-client';
import type { NodeMemory } from './node-memory.ts';

/**
 * Exports age and uses of each issuer key, by kid: there are a handful. Those of session keys would
 * have no bound.
 */
export function observeIssuerKeys(
  registry: Registry,
  memory: Pick<NodeMemory, 'keyset' | 'signingKey' | 'verificationsBy'>,
  now: () => number = Date.now,
): void {
  new Gauge({
    name: 'latchkey_issuer_key_age_seconds',
    help: 'Age of each issuer key since it was made, revoked ones included, by kid, algorithm and status',
    labelNames: ['kid', 'alg', 'status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { kid, alg, status, generatedAt } of memory.keyset.keys) {
        this.set({ kid, alg, status }, (now() - generatedAt) / 1000);
      }
    },
  });
  const uses: readonly [name: string, help: string, read: (kid: string) => number][] = [
    [
      'latchkey_issuer_key_signatures_total',
      'Access tokens that this process has signed, by kid',
      (kid) => memory.signingKey.usesOf(kid),
    ],
    [
      'latchkey_issuer_key_verifications_total',
      'Access tokens that this process has accepted, by the kid that signed them',
      (kid) => memory.verificationsBy(kid),
    ],
  ];
  for (const [name, help, read] of uses) {
    new Counter({
      name,
      help,
      labelNames: ['kid'],
      registers: [registry],
      collect() {
        this.reset();
        for (const { kid } of memory.keyset.keys) this.inc({ kid }, read(kid));
      },
    });
  }
}
