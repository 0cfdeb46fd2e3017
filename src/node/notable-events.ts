import type { KeysetKey } from '@latchkey/contract/keyset-key';
import { keysetChanges } from '../domain/keyset/changes.ts';
import type { KeysetEvent } from '../domain/keyset/events.ts';
import type { KeysetState } from '../domain/keyset/state.ts';
import type { Command } from '../eventlog/command.ts';
import type { Logger } from '../platform/logging/logging.ts';
import type { AnyEvent } from '../tables/streams.ts';
import type { AbuseMetrics } from './abuse-metrics.ts';
import type { NodeMetrics } from './metrics.ts';
import type { NodeMemory } from './node-memory.ts';

type Type = AnyEvent['type'];

interface Notable {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** What an operator wants to be told of, whichever command caused it. */
const notable: Readonly<Partial<Record<Type, Notable>>> = {
  KeyGenerated: { level: 'info', message: 'an issuer key was made and is published' },
  KeyActivated: { level: 'info', message: 'an issuer key signs from now on' },
  KeyRetired: { level: 'info', message: 'issuer keys were rotated' },
  KeyRemoved: { level: 'info', message: 'an issuer key whose tokens have expired was removed' },
  KeyRevoked: { level: 'warn', message: 'an issuer key was revoked' },
  RefreshTokenReuseDetected: { level: 'warn', message: 'a refresh token was used twice' },
  UserLocked: { level: 'warn', message: 'a user was locked out after wrong proofs' },
  DeviceLocked: {
    level: 'warn',
    message: 'a known device or a session was locked out after wrong proofs',
  },
  TotpRemoved: { level: 'warn', message: 'the second factor of a user was removed' },
  RecoveryCodeUsed: { level: 'warn', message: 'a recovery code stood for a second factor' },
  UserUnlocked: { level: 'info', message: 'the locks of a user were lifted' },
};

const countOfItsOwn: Readonly<Partial<Record<Type, (metrics: AbuseMetrics) => void>>> = {
  RefreshTokenReuseDetected: ({ refreshTokenReuse }) => refreshTokenReuse.inc(),
  UserLocked: ({ lockouts }) => lockouts.inc({ of: 'user' }),
  DeviceLocked: ({ lockouts }) => lockouts.inc({ of: 'device' }),
};

const replaced: Notable = {
  level: 'warn',
  message: 'a pending issuer key was replaced: it does not open, or is not of KEY_ALGORITHM',
};

interface NotableEventParts {
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly metrics: NodeMetrics;
  readonly memory: Pick<NodeMemory, 'keyset'>;
}

/** A log line and a count for each notable event. Ids only. */
export class NotableEvents {
  readonly #parts: NotableEventParts;
  /** What was told of the keys of the last two keysets: a command and the poll both tell of it. */
  readonly #told = new Map<string, Set<string>>();

  constructor(parts: NotableEventParts) {
    this.#parts = parts;
  }

  /** Of a command that this node has committed. */
  appended({ streams, meta: { request_id } }: Command): void {
    const { memory } = this.#parts;
    for (const { kind, streamId, events } of streams) {
      for (const { type, data } of events) {
        if (kind === 'keyset') {
          const kid = data.kid as string;
          const known = memory.keyset.keys.find((key) => key.kid === kid);
          this.#tellOfKey(type as KeysetEvent['type'], kid, known, request_id);
        } else this.#tell(type, { [`${kind}_id`]: streamId, request_id }, notable[type as Type]);
      }
    }
  }

  /** Of what became of the issuer's keys, whichever process did it. */
  keysetRead(before: KeysetState, after: KeysetState): void {
    const isFirst = before.keys.length === 0;
    for (const { type, key } of isFirst ? [] : keysetChanges(before, after)) {
      this.#tellOfKey(type, key.kid, key);
    }
    const kids = new Set([...before.keys, ...after.keys].map(({ kid }) => kid));
    for (const kid of this.#told.keys()) if (!kids.has(kid)) this.#told.delete(kid);
  }

  /** Before this node has read a keyset, it removes none but pending keys. */
  #tellOfKey(
    type: KeysetEvent['type'],
    kid: string,
    known: KeysetKey | undefined,
    request_id?: string,
  ): void {
    const told = this.#told.get(kid) ?? new Set();
    if (told.has(type)) return;
    this.#told.set(kid, told.add(type));
    const isReplaced = type === 'KeyRemoved' && (known?.status ?? 'pending') === 'pending';
    this.#tell(type, { kid, request_id }, isReplaced ? replaced : notable[type]);
  }

  #tell(event: string, ids: object, known: Notable | undefined): void {
    if (known === undefined) return;
    const { log, metrics } = this.#parts;
    metrics.notableEvents.inc({ event });
    countOfItsOwn[event as Type]?.(metrics.abuse);
    log[known.level]({ event, ...ids }, known.message);
  }
}
