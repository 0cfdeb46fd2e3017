import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { PayTry } from '../../node/failure-budget.ts';
import type { Services } from '../../node/services.ts';
import { networkOf } from '../../platform/client-address.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeUser, mergeRows } from '../../tables/change.ts';
import { findUser, passwordRows, type UserForCommand } from '../../tables/user.ts';
import { metaOf } from '../actor.ts';
import { consecutive } from '../consecutive-changes.ts';
import { findUserWithSessions, guardUser } from '../guard.ts';
import { PersonalData } from '../personal-data.ts';
import { endSessions } from '../session/revoke-sessions.ts';
import { acceptedPassword } from './accepted-password.ts';

export interface ChangePasswordInput {
  readonly userId: string;
  /** The one session that lives on. */
  readonly sessionId: string;
  readonly currentPassword: string;
  readonly newPassword: string;
}

/**
 * Replaces the password once the present one was given; wrong ones count and lock apart, for this
 * session. In
 * the same transaction every other session ends and the user's epoch rises: all access tokens are
 * stale, and only the session that asked can refresh. Raises `invalid_credentials`,
 * `password_refused` (with reasons), `conflict`, `invalid_token`, `unavailable`.
 */
export async function changePassword(
  services: Services,
  input: ChangePasswordInput,
  context: RequestContext,
  payTry: PayTry,
): Promise<void> {
  const known = await existing(services, input.userId);
  const personal = await PersonalData.of(services.subjectKeys, known.userId, known.subjectKey);
  const { email } = personal.profile(known.state.pii);
  const accepted = acceptedPassword(services, input.newPassword, email);
  const turn = { group: networkOf(context.clientAddress) };
  const { matches } = await services.hasher.verify(
    known.passwordHash,
    input.currentPassword.normalize('NFC'),
    { ...turn, onBegin: payTry },
  );
  const hash = matches ? await services.hasher.hash(accepted, turn) : null;
  await services.handler.run(known.userId, () =>
    attempt(
      services,
      input,
      { hash, comparedWith: known.state.passwordChangedAt, pii: personal.sealPlace(context) },
      context,
    ),
  );
}

/** `hash`: of the new password; null when the present one did not match. */
interface Checked {
  readonly hash: string | null;
  readonly comparedWith: number | null;
  readonly pii: Uint8Array;
}

async function attempt(
  services: Services,
  { userId, sessionId }: ChangePasswordInput,
  { hash, comparedWith, pii }: Checked,
  context: RequestContext,
): Promise<Attempt<undefined>> {
  const now = services.now();
  const [user, live] = await findUserWithSessions(services.readers, userId);
  if (user === null) throw new LatchkeyError('invalid_token', { detail: 'user is gone' });
  const matches = hash !== null;
  const checked = changeUser(userId, user, {
    type: 'CheckPassword',
    now,
    matches,
    comparedWith,
    // A live session is no stranger: it counts its own failures, and no stranger's lock stops it.
    device: { id: sessionId, epoch: user.state.devices.epoch },
    pii,
  });
  const refusal = checked.refusal;
  if (hash === null || refusal !== undefined) {
    return {
      command: {
        commandId: newId(),
        meta: metaOf(context),
        streams: [checked.touch],
        rows: checked.rows,
      },
      answer: () => {
        throw new LatchkeyError(refusal!, { detail: 'current password does not match' });
      },
    };
  }
  const changed = consecutive(
    checked,
    changeUser(userId, checked, { type: 'ChangePassword', now }),
  );
  const others = live.filter((session) => session.sessionId !== sessionId);
  const ended = endSessions(others, now, 'password_changed');
  return {
    command: {
      commandId: newId(),
      meta: metaOf(context),
      streams: [guardUser(user, changed.touch), ...ended.map(({ touch }) => touch)],
      rows: mergeRows(
        changed.rows,
        passwordRows(userId, changed.state, hash),
        ...ended.map(({ rows }) => rows),
      ),
    },
    answer: () => undefined,
  };
}

async function existing(services: Services, userId: string): Promise<UserForCommand> {
  const user = await findUser(services.readers, userId);
  if (user === null) throw new LatchkeyError('invalid_token', { detail: 'user is gone' });
  return user;
}
