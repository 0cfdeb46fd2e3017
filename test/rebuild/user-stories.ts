import type { UserCommand } from '../../src/domain/user/decide.ts';
import { challengeFor } from '../../src/domain/user/open-challenge.ts';
import type { UserState } from '../../src/domain/user/state.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import type { userCommands } from './ingredients.ts';
import type { Stream } from './seeded-log.ts';

/** Who changes users, and draws the commands that do. */
interface People {
  tick(): number;
  userCommands(user: Stream<UserState>): ReturnType<typeof userCommands>;
  changeUser(user: Stream<UserState>, command: UserCommand): Promise<void>;
}

/** Every request is followed by its proof, at a later time. */
export async function proveByMail(people: People, user: Stream<UserState>): Promise<void> {
  const commands = (): UserCommand[] => {
    const drawn = people.userCommands(user);
    const [verification, otp, reset] = drawn.RequestMailProof;
    return [
      ...[verification!, ...drawn.VerifyEmail],
      ...[otp!, ...drawn.CheckOtp],
      ...[reset!, ...drawn.ResetPassword],
      ...[...drawn.RequestEmailChange, ...drawn.ChangeEmail],
    ];
  };
  for (const [index] of commands().entries()) await people.changeUser(user, commands()[index]!);
}

/** A challenge stands in the state of its user, so that it cannot be drawn without. */
export async function logInWithSecondFactor(
  people: People,
  user: Stream<UserState>,
): Promise<void> {
  const { EnrolTotp, ConfirmTotp, CheckTotp } = people.userCommands(user);
  for (const command of [...EnrolTotp, ...ConfirmTotp]) await people.changeUser(user, command);
  const now = people.tick();
  const challenge = challengeFor(user.state, newId(), now);
  for (const check of CheckTotp) {
    const matchingSteps = check.matchingSteps.map(() => now);
    await people.changeUser(user, { ...check, now, matchingSteps, challenge });
  }
}
