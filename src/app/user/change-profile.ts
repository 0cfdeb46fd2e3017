import type { Node } from '../../node/node.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { PersonalData, type Profile } from '../personal-data.ts';
import { changeUser } from './change-user.ts';
import { existingUser } from './existing-user.ts';
import {
  isTakenUsername,
  requireFreeUsername,
  requireProvenAddress,
  takenUsername,
  usernamePart,
} from './username.ts';

export interface ProfilePatch {
  /** As `acceptedUsername` gives it; a name can be changed and not taken away. */
  readonly username?: string | undefined;
  readonly name?: string | null | undefined;
  readonly phone_number?: string | null | undefined;
  readonly picture?: string | null | undefined;
}

const patchable = ['name', 'phone_number', 'picture'] as const;
const compared = ['username', ...patchable] as const;

interface ProfileChange {
  readonly userId: string;
  readonly patch: ProfilePatch;
  /** An administrator names also a user whose address is not proven. */
  readonly chosenBy: 'user' | 'administrator';
}

/**
 * Changes the given fields of a profile, clears those given as null, and leaves the others. A patch
 * that changes nothing writes nothing. Raises `not_found`, `forbidden` (a disabled user),
 * `invalid_request` (a user name before the address is proven), `conflict` (one that is taken),
 * `unavailable`.
 */
export async function changeProfile(
  node: Node,
  { userId, patch, chosenBy }: ProfileChange,
  by: By,
): Promise<void> {
  const { readers, handler } = node.cells.of(userId);
  const changed = handler.run(userId, async () => {
    const user = await existingUser(readers, userId);
    const personal = await PersonalData.of(node.subjectKeys, userId, user.subjectKey);
    const before = personal.profile(user.state.pii);
    const after = patched(before, patch);
    if (compared.every((field) => after[field] === before[field])) {
      return unchanged(() => undefined);
    }
    const isRenamed = after.username !== before.username;
    if (isRenamed && chosenBy === 'user') requireProvenAddress(node, user.state);
    if (isRenamed && after.username !== undefined) {
      await requireFreeUsername(node, after.username, userId);
    }
    const change = changeUser(userId, user, {
      type: 'ChangeProfile',
      now: node.now(),
      pii: personal.seal({ ...after }),
    });
    const named = usernamePart(node, userId, isRenamed ? after.username : undefined);
    return append(by, [change, named], () => undefined);
  });
  await changed.catch((error: unknown) => {
    throw isTakenUsername(error) ? takenUsername(error) : error;
  });
}

function patched(profile: Profile, patch: ProfilePatch): Profile {
  const result: Record<string, string> & { email: string } = { ...profile };
  if (patch.username !== undefined) result.username = patch.username;
  for (const field of patchable) {
    const value = patch[field];
    if (value === null) delete result[field];
    else if (value !== undefined) result[field] = value;
  }
  return result;
}
