import type { SessionSteppedUp } from '../../domain/session/events.ts';
import { clockFor, lifetimesFor } from '../../domain/session/lifetimes.ts';
import type { Attempt } from '../../eventlog/handle.ts';
import type { Node } from '../../node/node.ts';
import { findSession } from '../../tables/session.ts';
import { findUser } from '../../tables/user.ts';
import { append, refuse } from '../append.ts';
import type { By } from '../by.ts';
import { guarded } from '../guard.ts';
import { type FactorOwner, personalOf, userIsGone } from '../user/own-factor.ts';
import {
  type ComparedPassword,
  comparePassword,
  type OwnProof,
  shownProof,
} from '../user/own-proof.ts';
import { changeSession } from './change-session.ts';
import { signingKeyOfRefresh } from './signing-key-for.ts';
import { type IssuedTokens, issueTokens } from './token-set.ts';

export interface StepUpInput extends FactorOwner {
  readonly proof: OwnProof;
}

/**
 * The caller proves again to be the user, and gets one short access token that says so: a new
 * `auth_time`, and `acr` `2fa` for a second factor. It comes without a refresh token, and no refresh
 * token of the session yields those rights: who has stolen one gains nothing. A password says `1fa`,
 * also in a session that began with two factors. Raises `invalid_credentials`, `invalid_token`,
 * `unavailable`.
 */
export async function stepUp(node: Node, input: StepUpInput, by: By): Promise<IssuedTokens> {
  const { userId, proof } = input;
  const compared = await comparePassword(node, input, proof, by);
  return node.cells.of(userId).handler.run(userId, () => attempt(node, input, compared, by));
}

async function attempt(
  node: Node,
  input: StepUpInput,
  compared: ComparedPassword,
  by: By,
): Promise<Attempt<IssuedTokens>> {
  const { userId, sessionId, proof } = input;
  const { readers } = node.cells.of(userId);
  const user = await findUser(readers, userId);
  const session = await findSession(readers, sessionId);
  if (user === null || session?.state.userId !== userId) throw userIsGone();
  const now = node.now();
  const shown = await shownProof(node, { user, sessionId }, { proof, compared }, by);
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
