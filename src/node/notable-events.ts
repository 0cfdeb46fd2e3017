import type { Command } from '../eventlog/command.ts';
import type { Logger } from '../platform/logging/logging.ts';
import type { AnyEvent } from '../tables/streams.ts';
import type { NodeMetrics } from './metrics.ts';
import type { NodeMemory } from './node-memory.ts';

interface Notable {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** What an operator wants to be told of, whichever command caused it. */
const notable: Readonly<Partial<Record<AnyEvent['type'], Notable>>> = {
  KeyGenerated: { level: 'info', message: 'an issuer key was made and is published' },
  KeyActivated: { level: 'info', message: 'an issuer key signs from now on' },
  KeyRetired: { level: 'info', message: 'issuer keys were rotated' },
  KeyRemoved: { level: 'info', message: 'an issuer key whose tokens have expired was removed' },
  KeyRevoked: { level: 'warn', message: 'an issuer key was revoked' },
  RefreshTokenReuseDetected: { level: 'warn', message: 'a refresh token was used twice' },
  UserLocked: { level: 'warn', message: 'a user was locked out after failed logins' },
  DeviceLocked: { level: 'warn', message: 'a known device was locked out after failed logins' },
  UserUnlocked: { level: 'info', message: 'the locks of a user were lifted' },
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

/** A log line and a count for each notable event of a committed command. Ids only. */
export function reportNotableEvents(
  command: Command,
  { log, metrics, memory }: NotableEventParts,
): void {
  for (const { kind, streamId, events } of command.streams) {
    for (const { type, data } of events) {
      const isReplaced = type === 'KeyRemoved' && isPending(memory, data.kid);
      const known = isReplaced ? replaced : notable[type as AnyEvent['type']];
      if (known === undefined) continue;
      metrics.notableEvents.inc({ event: type });
      const subject = kind === 'keyset' ? { kid: data.kid } : { [`${kind}_id`]: streamId };
      const { request_id } = command.meta;
      log[known.level]({ event: type, ...subject, request_id }, known.message);
    }
  }
}

/** Before this node has read a keyset, it removes none but pending keys. */
function isPending({ keyset }: Pick<NodeMemory, 'keyset'>, kid: unknown): boolean {
  const held = keyset.keys.find((key) => key.kid === kid);
  return held === undefined || held.status === 'pending';
}
