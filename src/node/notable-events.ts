import type { Command } from '../eventlog/command.ts';
import type { Logger } from '../platform/logging/logging.ts';
import type { AnyEvent } from '../tables/streams.ts';
import type { NodeMetrics } from './metrics.ts';

interface Notable {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** What an operator wants to be told of, whichever command caused it. */
const notable: Readonly<Partial<Record<AnyEvent['type'], Notable>>> = {
  KeyActivated: { level: 'info', message: 'an issuer key signs from now on' },
  KeyRetired: { level: 'info', message: 'issuer keys were rotated' },
  KeyRevoked: { level: 'warn', message: 'an issuer key was revoked' },
  RefreshTokenReuseDetected: { level: 'warn', message: 'a refresh token was used twice' },
  UserLocked: { level: 'warn', message: 'a user was locked out after failed logins' },
  DeviceLocked: { level: 'warn', message: 'a known device was locked out after failed logins' },
  UserUnlocked: { level: 'info', message: 'the locks of a user were lifted' },
};

/** A log line and a count for each notable event of a committed command. Ids only. */
export function reportNotableEvents(
  command: Command,
  { log, metrics }: { log: Pick<Logger, 'info' | 'warn'>; metrics: NodeMetrics },
): void {
  for (const { kind, streamId, events } of command.streams) {
    for (const { type, data } of events) {
      const known = notable[type as AnyEvent['type']];
      if (known === undefined) continue;
      metrics.notableEvents.inc({ event: type });
      const subject = kind === 'keyset' ? { kid: data.kid } : { [`${kind}_id`]: streamId };
      const { request_id } = command.meta;
      log[known.level]({ event: type, ...subject, request_id }, known.message);
    }
  }
}
