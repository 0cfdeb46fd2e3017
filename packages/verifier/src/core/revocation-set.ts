import type { Id } from './id-table.ts';
import { IdTable, parseId, shardCount } from './id-table.ts';

/**
 * What a node must refuse. `untilMs`: when the last token that it kills expires, in epoch
 * milliseconds.
 */
export type Revocation =
  | { readonly kind: 'session' | 'kid'; readonly id: string; readonly untilMs: number }
  | {
      readonly kind: 'user' | 'client' | 'roles';
      readonly id: string;
      /** Tokens with a lower epoch are refused; of `roles`, only where a demand fails. */
      readonly epoch: number;
      readonly untilMs: number;
    };

/**
 * Everything that is revoked, in memory. It is a set: an entry may be applied twice, late or in any
 * order. It is bounded by the tokens alive: an entry goes once every token that it kills has
 * expired, the accepted skew included.
 */
export class RevocationSet {
  readonly clockSkewSeconds: number;
  readonly #sessions = new IdTable();
  readonly #users = new IdTable();
  readonly #clients = new IdTable();
  readonly #roles = new IdTable();
  readonly #kids = new Map<string, number>();
  #prunedThroughMs = 0;
  #revision = 0;

  constructor({ clockSkewSeconds }: { clockSkewSeconds: number }) {
    this.clockSkewSeconds = clockSkewSeconds;
  }

  /**
   * Throws on an id or an epoch that cannot be ours: a revocation that is skipped would be a token
   * accepted.
   */
  apply(revocation: Revocation): void {
    const { kind, id } = revocation;
    const untilSeconds = Math.ceil(revocation.untilMs / 1000 + this.clockSkewSeconds);
    if (Number.isNaN(untilSeconds)) throw new Error(`the revocation of ${kind} ${id} has no end`);
    this.#revision += 1;
    switch (kind) {
      case 'session':
        this.#sessions.raise(knownId(kind, id), 0, untilSeconds);
        break;
      case 'user':
        this.#users.raise(knownId(kind, id), knownEpoch(revocation), untilSeconds);
        break;
      case 'roles':
        this.#roles.raise(knownId(kind, id), knownEpoch(revocation), untilSeconds);
        break;
      case 'client':
        this.#clients.raise(knownId(kind, id), knownEpoch(revocation), untilSeconds);
        break;
      case 'kid':
        this.#kids.set(id, Math.max(this.#kids.get(id) ?? 0, untilSeconds));
        break;
      default:
        throw new Error(`unknown kind of revocation: ${kind satisfies never}`);
    }
  }

  /** While it stays the same, the set refuses nothing that it has not refused before. */
  get revision(): number {
    return this.#revision;
  }

  hasSession(id: Id): boolean {
    return this.#sessions.get(id) !== -1;
  }

  hasKid(kid: string): boolean {
    return this.#kids.has(kid);
  }

  /** Tokens of this user with a lower epoch are stale; -1 when none are. */
  userEpoch(id: Id): number {
    return this.#users.get(id);
  }

  /** Tokens of this user with a lower epoch may lack roles that the user has; -1 when none do. */
  rolesEpoch(id: Id): number {
    return this.#roles.get(id);
  }

  /** Tokens of this client with a lower epoch are refused; -1 when none are. */
  clientEpoch(id: Id): number {
    return this.#clients.get(id);
  }

  /**
   * Drops what cannot matter any more at `now` (epoch milliseconds). `share` of 1 goes over the
   * whole set; a timer with a small share keeps the pauses short and comes round in the end.
   */
  prune(now: number, share = 1): void {
    const nowSeconds = Math.floor(now / 1000);
    const shards = Math.max(1, Math.round(shardCount * share));
    this.#prunedThroughMs = Math.max(this.#prunedThroughMs, now);
    for (const table of [this.#sessions, this.#users, this.#clients, this.#roles]) {
      table.prune(nowSeconds, shards);
    }
    for (const [kid, untilSeconds] of this.#kids) {
      if (untilSeconds <= nowSeconds) this.#kids.delete(kid);
    }
  }

  /**
   * Of tokens that had expired by then (epoch milliseconds), the set no longer knows which were
   * revoked: it matters when the clock was ahead and has gone back. A set loaded anew knows them.
   */
  get prunedThroughMs(): number {
    return this.#prunedThroughMs;
  }

  get size(): number {
    const tables = this.#sessions.size + this.#users.size + this.#clients.size + this.#roles.size;
    return tables + this.#kids.size;
  }

  /** Memory of the tables, which hold all but the keys. */
  get bytes(): number {
    return this.#sessions.bytes + this.#users.bytes + this.#clients.bytes + this.#roles.bytes;
  }
}

function knownId(kind: string, text: string): Id {
  const id = parseId(text);
  if (id === null) throw new Error(`the revocation of a ${kind} has no valid id: ${text}`);
  return id;
}

function knownEpoch({ kind, id, epoch }: { kind: string; id: string; epoch: number }): number {
  if (Number.isInteger(epoch) && epoch >= 0 && epoch <= 0x7fff_ffff) return epoch;
  throw new Error(`the revocation of ${kind} ${id} has no valid epoch`);
}
