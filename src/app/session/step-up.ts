import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { SessionSteppedUp } from '../../domain/session/events.ts';
import { clockFor, lifetimesFor } from '../../domain/session/lifetimes.ts';
import type { UserState } from '../../domain/user/state.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import type { Change } from '../../tables/change.ts';
import { findSession } from '../../tables/session.ts';
import { findUser, type UserForCommand } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import { type By, turnOf } from '../by.ts';
import { guarded } from '../guard.ts';
import { changeUser } from '../user/change-user.ts';
import {
  type FactorOwner,
  personalOf,
  sessionCount,
  shownFactor,
  userIsGone,
} from '../user/own-factor.ts';
import type { PresentedFactor } from '../user/presented-factor.ts';
import { presentedPassword } from '../user/presented-password.ts';
import { changeSession } from './change-session.ts';
import { signingKeyOfRefresh } from './signing-key-for.ts';
import { type IssuedTokens, issueTokens } from './token-set.ts';

export interface StepUpInput extends FactorOwner {
  readonly proof: PresentedFactor | { readonly kind: 'password'; readonly password: string };
}

/** A password that was compared; null: a second factor, which the attempt compares. */
type ComparedPassword = { readonly matches: boolean; readonly with: number | null } | null;

/**
 * The caller proves again to be the user, and gets one short access token that says so: a new
 * `auth_time`, and `acr` `2fa` for a second factor. It comes without a refresh token, and no refresh
 * token of the session yields those rights: who has stolen one gains nothing. A password says `1fa`,
 * also in a session that began with two factors. Raises `invalid_credentials`, `invalid_token`,
 * `unavailable`.
 */
export async function stepUp(node: Node, input: StepUpInput, by: By): Promise<IssuedTokens> {
  const { userId } = input;
  const compared = await comparePassword(node, input, by);
  return node.cells.of(userId).handler.run(userId, () => attempt(node, input, compared, by));
}

async function comparePassword(
  node: Node,
  { userId, proof, payTry }: StepUpInput,
  by: By,
): Promise<ComparedPassword> {
  if (proof.kind !== 'password') {
    await payTry();
    return null;
  }
  const user = await findUser(node.cells.of(userId).readers, userId);
  if (user === null) throw userIsGone();
  const { password, hash } = presentedPassword(proof.password, user.passwordHash);
  const turn = { ...turnOf(by), onBegin: payTry };
  const { matches } = await node.hasher.verify(hash, password, turn);
  return { matches, with: user.state.passwordChangedAt };
}

async function attempt(
  node: Node,
  input: StepUpInput,
  compared: ComparedPassword,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { userId, sessionId } = input;
  const { readers } = node.cells.of(userId);
  const user = await findUser(readers, userId);
  const session = await findSession(readers, sessionId);
  if (user === null || session?.state.userId !== userId) throw userIsGone();
  const now = node.now();
  const shown = await shownProof(node, user, input, compared, by);
  if (shown.refusal !== undefined) return refuse(by, shown, 'step-up: the proof does not match');
  const { amr, deviceType } = session.state;
  const { accessTokenTtlSeconds } = lifetimesFor(deviceType, node.config.lifetimes);
  const steppedUp = changeSession(sessionId, session, {
    type: 'StepUpSession',
    now,
    amr: compared === null ? [...new Set([...amr, 'otp', 'mfa'])] : ['pwd'],
    accessTokenTtlSeconds: Math.min(
      accessTokenTtlSeconds,
      node.config.authentication.recentSeconds,
    ),
    ...clockFor(deviceType, node.config),
  });
  const { roles } = user.state;
  const signingKey = await signingKeyOfRefresh(node, sessionId, steppedUp.state, roles);
  const personal = await personalOf(node, user);
  return append(by, [guarded(user, shown), steppedUp], () =>
    issueTokens(node, {
      sessionId,
      session: steppedUp.state,
      signingKey,
      userId,
      user: shown.state,
      personal,
      secret: null,
      steppedUp: (steppedUp.events[0] as SessionSteppedUp).data,
    }),
  );
}

async function shownProof(
  node: Node,
  user: UserForCommand,
  { sessionId, proof }: StepUpInput,
  compared: ComparedPassword,
  by: By,
): Promise<Change<UserState>> {
  if (proof.kind !== 'password') {
    return shownFactor(node, { user, sessionId }, proof, by);
  }
  if (compared === null) throw new LatchkeyError('internal_error', { detail: 'nothing compared' });
  return changeUser(user.userId, user, {
    type: 'CheckPassword',
    now: node.now(),
    matches: compared.matches,
    comparedWith: compared.with,
    device: sessionCount(user, sessionId),
    pii: (await personalOf(node, user)).sealPlace(by),
  });
}
