import { accept, type Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import type { SessionEvent } from './events.ts';
import type { SessionClock } from './lifetimes.ts';
import { isOver, sessionEndsAt } from './rotation.ts';
import { newestGeneration, type SessionState } from './state.ts';

/** `amr`: what the new token says. The user has proved it in the same append. */
export interface StepUpSession extends SessionClock {
  readonly type: 'StepUpSession';
  readonly now: number;
  readonly amr: readonly string[];
  readonly accessTokenTtlSeconds: number;
}

/** Nothing that a refresh reads changes: who holds the refresh token gains nothing by it. */
export function stepUp(state: SessionState, command: StepUpSession): Decision<SessionEvent> {
  const { now: at, amr } = command;
  if (state.status !== 'live' || isOver(state, command)) {
    throw new LatchkeyError('invalid_token', { detail: 'the session has ended' });
  }
  const remaining = Math.floor((sessionEndsAt(state, command.sessionTtlSeconds) - at) / 1000);
  return accept({
    type: 'SessionSteppedUp',
    data: {
      at,
      generation: newestGeneration(state) + 1,
      amr: [...amr],
      accessTokenTtlSeconds: Math.min(command.accessTokenTtlSeconds, remaining),
    },
  });
}
