import { clockSkewMsMax } from '../eventlog/database-clock.ts';
import { highestPositionSql } from '../eventlog/highest-position.ts';
import type { LogGuard } from '../eventlog/log-guard.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import type { KeyWrap } from '../platform/crypto/key-wrap.ts';
import { expectedSchemaVersion, schemaVersion } from '../platform/postgres/migrate.ts';
import { safeInteger } from '../platform/postgres/safe-integer.ts';
import type { AppendProbe } from './append-probe.ts';
import type { NodeMemory } from './node-memory.ts';
import { recordSealKid } from './server-secrets.ts';

export interface ReadinessOptions {
  readonly readers: Queryable;
  readonly memory: NodeMemory;
  readonly keyWrap: Pick<KeyWrap, 'kekIdOf' | 'hasKek'>;
  readonly guard: Pick<LogGuard, 'refused'>;
  readonly appendProbe: Pick<AppendProbe, 'failing'>;
  /** Whether the process is about to stop. */
  readonly isDraining: () => boolean;
  /** What this node works without, by name. */
  readonly degraded: () => readonly string[];
  readonly migrationsDirectory: string;
}

export interface Readiness {
  readonly ready: boolean;
  /** What is failing, by name; empty when ready. */
  readonly failing: readonly string[];
  /** What the node can do without, and has to. */
  readonly degraded: readonly string[];
}

/**
 * Tells whether this node can write, and whether it can verify: the second holds as long as the
 * lease does.
 */
export class ReadinessProbe {
  readonly #options: ReadinessOptions;
  readonly #expectedSchema: number;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#expectedSchema = expectedSchemaVersion(options.migrationsDirectory);
  }

  verify(): Readiness {
    const { memory, guard, isDraining } = this.#options;
    const failing: string[] = [];
    if (guard.refused !== null) failing.push('log_identity');
    if (isDraining()) failing.push('draining');
    if (!memory.leases.allowsSome({ now: Date.now(), monotonicNow: performance.now() })) {
      failing.push('revocation_lease');
    }
    return this.#verdict(failing);
  }

  async write(): Promise<Readiness> {
    const { memory } = this.#options;
    const failing = [...this.verify().failing];
    if (!memory.leases.areFresh({ now: Date.now(), monotonicNow: performance.now() })) {
      failing.push('revocation_lease');
    }
    failing.push(...unusableKeys(memory));
    const [append, database] = await Promise.all([
      this.#options.appendProbe.failing(),
      this.#database(),
    ]);
    failing.push(...append, ...database);
    return this.#verdict([...new Set(failing)]);
  }

  #verdict(failing: readonly string[]): Readiness {
    return { ready: failing.length === 0, failing, degraded: this.#options.degraded() };
  }

  async #database(): Promise<string[]> {
    const { readers, keyWrap } = this.#options;
    const failing: string[] = [];
    try {
      const sentAt = Date.now();
      // At the same time: each alone may take almost as long as an answer may take.
      const [schema, { rows }] = await Promise.all([
        schemaVersion(readersAsText(readers)),
        readers.query({
          text: `select clock_timestamp() as at, pg_is_in_recovery() as standby,
            current_setting('transaction_read_only') as read_only,
            (select count(*) from latchkey.session_partitions
              where from_pos > ${highestPositionSql}) as partitions_ahead,
            (select wrapped from latchkey.key_secrets where kid = $1) as wrapped`,
          values: [recordSealKid],
        }),
      ]);
      const receivedAt = Date.now();
      const row = rows[0]!;
      if (row.standby === true || row.read_only === 'on') failing.push('database_read_only');
      if (safeInteger(row.partitions_ahead) < 1) failing.push('partitions');
      const at = (row.at as Date).getTime();
      if (at < sentAt - clockSkewMsMax || at > receivedAt + clockSkewMsMax) failing.push('clock');
      if (schema < this.#expectedSchema) failing.push('schema');
      const kekId = keyWrap.kekIdOf(String(row.wrapped));
      if (kekId === null || !keyWrap.hasKek(kekId)) failing.push('kek');
    } catch {
      failing.push('database');
    }
    return failing;
  }
}

/** A pending key counts too: a node that cannot open it would sign nothing after the next rotation. */
function unusableKeys({ keyset, privateKeys }: NodeMemory): string[] {
  const active = keyset.keys.find(({ status }) => status === 'active');
  const failing = active !== undefined && privateKeys.usable.has(active.kid) ? [] : ['signing_key'];
  const pending = privateKeys.unusable.some(({ key }) => key.status === 'pending');
  return pending ? [...failing, 'pending_key'] : failing;
}

function readersAsText(readers: Queryable) {
  return { query: (text: string) => readers.query({ text }) };
}
