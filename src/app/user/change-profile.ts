import type { RequestContext } from '../../api/http/request-context.ts';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Services } from '../../node/services.ts';
import { newId } from '../../platform/crypto/new-id.ts';
import { changeUser } from '../../tables/change.ts';
import { findUser } from '../../tables/user.ts';
import { metaOf } from '../actor.ts';
import { PersonalData, type Profile } from '../personal-data.ts';

export interface ProfilePatch {
  readonly name?: string | null | undefined;
  readonly phone_number?: string | null | undefined;
  readonly picture?: string | null | undefined;
}

const patchable = ['name', 'phone_number', 'picture'] as const;

/**
 * Changes the given fields of a profile, clears those given as null, and leaves the others. A patch
 * that changes nothing writes nothing. Raises `not_found`, `forbidden` (a disabled user),
 * `unavailable`.
 */
export async function changeProfile(
  services: Services,
  { userId, patch }: { readonly userId: string; readonly patch: ProfilePatch },
  context: RequestContext,
): Promise<void> {
  await services.handler.run(userId, async () => {
    const user = await findUser(services.readers, userId);
    if (user === null) throw new LatchkeyError('not_found');
    const personal = await PersonalData.of(services.subjectKeys, userId, user.subjectKey);
    const before = personal.profile(user.state.pii);
    const after = patched(before, patch);
    if (patchable.every((field) => after[field] === before[field])) {
      return { command: null, answer: () => undefined };
    }
    const change = changeUser(userId, user, {
      type: 'ChangeProfile',
      now: services.now(),
      pii: personal.seal({ ...after }),
    });
    return {
      command: {
        commandId: newId(),
        meta: metaOf(context),
        streams: [change.touch],
        rows: change.rows,
      },
      answer: () => undefined,
    };
  });
}

function patched(profile: Profile, patch: ProfilePatch): Profile {
  const result: Record<string, string> & { email: string } = { ...profile };
  for (const field of patchable) {
    const value = patch[field];
    if (value === null) delete result[field];
    else if (value !== undefined) result[field] = value;
  }
  return result;
}
