import { randomBytes } from 'node:crypto';
import type { DomainEvent } from '../../src/domain/kernel/event.ts';
import type { SessionEvent } from '../../src/domain/session/events.ts';
import type { SessionKey } from '../../src/domain/session/session-key.ts';
import {
  evolveSession,
  initialSession,
  type SessionState,
} from '../../src/domain/session/state.ts';
import type { Command, CommandRows, EventMeta, StreamTouch } from '../../src/eventlog/command.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { sessions } from '../../src/tables/session.ts';

/** What stands in the events of a test that asks nothing of it. */
export const testMeta: EventMeta = {
  request_id: '0199f5a0-0000-7000-8000-000000000001',
  correlation_id: '0199f5a0-0000-7000-8000-000000000001',
  actor: null,
  actor_type: 'anonymous',
};

/** A command of the log, whatever its streams mean. */
export function commandOf(streams: readonly StreamTouch[], rows: CommandRows = {}): Command {
  return { commandId: newId(), meta: testMeta, streams, rows };
}

/** A touch of a user stream with as many events as asked for, that no projection looks at. */
export function touch(
  streamId: string,
  expected: StreamTouch['expected'],
  options: Partial<Omit<StreamTouch, 'events'>> & { events?: number | DomainEvent[] } = {},
): StreamTouch {
  const { events = 1, ...rest } = options;
  const list =
    typeof events === 'number'
      ? Array.from({ length: events }, (_, n) => ({ type: 'UserEnabled', data: { at: n } }))
      : events;
  return { streamId, kind: 'user', subjectId: null, expected, events: list, ...rest };
}

export interface SessionStep {
  readonly sessionId: string;
  readonly version: number;
  readonly state: SessionState;
  readonly command: Command;
}

/** What a login appends: one SessionStarted and the row, about as long as a real one. */
export function startSession(
  userId: string = newId(),
  sessionId: string = newId(),
  sessionKey?: SessionKey,
): SessionStep {
  const at = Date.now();
  return step(
    sessionId,
    userId,
    { version: 0, state: initialSession },
    {
      type: 'SessionStarted',
      data: {
        userId,
        clientId: null,
        deviceType: 'web',
        amr: ['pwd'],
        audience: ['https://latchkey.example', 'https://api.example'],
        scope: 'openid',
        transport: 'body',
        at,
        expiresAt: at + 7 * 86_400_000,
        accessTokenTtlSeconds: 900,
        secretHash: randomBytes(32).toString('base64url'),
        salt: randomBytes(16).toString('base64url'),
        ...(sessionKey === undefined ? {} : { sessionKey: { ...sessionKey } }),
      },
      pii: randomBytes(160),
    },
  );
}

/** What a refresh appends: one SessionRefreshed and the row's update. */
export function refreshSession(from: SessionStep): SessionStep {
  return step(from.sessionId, from.state.userId, from, {
    type: 'SessionRefreshed',
    data: {
      at: from.state.refreshedAt + 60_000,
      generation: from.state.generation + 1,
      secretHash: randomBytes(32).toString('base64url'),
      salt: randomBytes(16).toString('base64url'),
      accessTokenTtlSeconds: 900,
      idempotencyKeyHash: null,
    },
  });
}

function step(
  sessionId: string,
  userId: string,
  from: { version: number; state: SessionState },
  event: SessionEvent,
): SessionStep {
  const state = evolveSession(from.state, event);
  const version = from.version + 1;
  const command = commandOf(
    [
      {
        streamId: sessionId,
        kind: 'session',
        subjectId: userId,
        expected: from.version === 0 ? 'none' : from.version,
        events: [event],
      },
    ],
    { sessions: [sessions.row({ id: sessionId, version, state })] },
  );
  return { sessionId, version, state, command };
}
