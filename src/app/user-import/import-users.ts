import { setTimeout as delay } from 'node:timers/promises';
import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { ConflictError, UniqueViolationError } from '../../eventlog/command.ts';
import { sealPersonalData } from '../../platform/crypto/subject-cipher.ts';
import { bytea } from '../../platform/postgres/bytea.ts';
import { findUserOrTombstone, passwordRows } from '../../tables/user.ts';
import { append, unchanged } from '../append.ts';
import type { By } from '../by.ts';
import { consecutive } from '../consecutive-changes.ts';
import { changeUser } from '../user/change-user.ts';
import { usernamePart } from '../user/username.ts';
import type { Candidate } from './candidate.ts';
import { type ImportingNode, type Judged, judge } from './judge.ts';
import type { ImportRefusal } from './refusals.ts';

/** `present`: an earlier run, or an earlier line, has made this user. */
export type ImportOutcome = 'imported' | 'present' | { readonly refusal: ImportRefusal };

/** So long nothing may be appended at all. */
const patienceMs = 60_000;
const pauseMs = 250;
const racesMax = 10;

/**
 * Registers users from elsewhere, each in a command of its own as a registration is; the writer
 * puts the commands of many into one transaction. A user that is there already is left as it is, so
 * the same users may be given again after any interruption. While the database is too slow they are
 * tried again. Raises `unavailable` when nothing was appended for a minute.
 */
export async function importUsers(
  node: ImportingNode,
  candidates: readonly Candidate[],
  by: By,
): Promise<ImportOutcome[]> {
  const outcomes = new Map<number, ImportOutcome>();
  /** Those that may have been registered behind their deadline. */
  const doubtful = new Set<number>();
  let since = performance.now();
  for (let races = 0; outcomes.size < candidates.length; ) {
    const open = candidates.map((_, index) => index).filter((index) => !outcomes.has(index));
    const tries = await tryAll(
      node,
      open.map((index) => candidates[index]!),
      by,
    );
    open.forEach((index, n) => {
      const outcome = tries[n]!;
      if (outcome instanceof LatchkeyError) doubtful.add(index);
      else if (outcome === 'present' && doubtful.has(index)) outcomes.set(index, 'imported');
      else if (outcome !== 'raced') outcomes.set(index, outcome);
    });
    const refused = tries.find((outcome) => outcome instanceof LatchkeyError);
    const isStuck = tries.every((outcome) => outcome instanceof LatchkeyError);
    if (!isStuck) since = performance.now();
    if (refused !== undefined) {
      if (performance.now() - since > patienceMs) throw refused;
      await delay(pauseMs);
    } else if (tries.includes('raced')) {
      races += 1;
      if (races > racesMax) throw new Error('a user that is neither there nor to be registered');
    }
  }
  return candidates.map((_, index) => outcomes.get(index)!);
}

/** `raced`: somebody registered the same user or address meanwhile, so it is judged again. */
type Try = ImportOutcome | 'raced' | LatchkeyError;

async function tryAll(
  node: ImportingNode,
  candidates: readonly Candidate[],
  by: By,
): Promise<Try[]> {
  let judged: Judged[];
  try {
    judged = await judge(node, candidates);
  } catch (error) {
    const refused = asUnavailable(error);
    return candidates.map(() => refused);
  }
  return Promise.all(
    judged.map((each) =>
      each.judgement === 'new' ? importOne(node, each, by).catch(asTry) : each.judgement,
    ),
  );
}

function asTry(error: unknown): Try {
  if (error instanceof UniqueViolationError || error instanceof ConflictError) return 'raced';
  return asUnavailable(error);
}

/** Throws all other errors. */
function asUnavailable(error: unknown): LatchkeyError {
  if (error instanceof LatchkeyError && error.code === 'unavailable') return error;
  throw error;
}

async function importOne(
  node: ImportingNode,
  { candidate, identifierMac }: Judged,
  by: By,
): Promise<Try> {
  const { userId, email, username, roles, emailVerified, passwordHash } = candidate;
  const subject = await node.subjectKeys.newSubjectKey(userId);
  const { readers, handler } = node.cells.of(userId);
  let isSecondTry = false;
  return handler.run<Try>(userId, async () => {
    if (isSecondTry) {
      // The id is taken: by this user, or by what is no user and stays.
      const isUser = (await findUserOrTombstone(readers, userId)) !== null;
      return unchanged(() => (isUser ? 'raced' : { refusal: 'id_taken' }));
    }
    isSecondTry = true;
    const now = node.now();
    const profile = {
      email: email.address,
      ...(username === null ? {} : { username }),
      ...candidate.profile,
    };
    const registered = changeUser(userId, null, {
      type: 'RegisterUser',
      now,
      pii: sealPersonalData(subject.key, userId, profile),
      emailVerified,
      hasPassword: passwordHash !== null,
      roles,
    });
    const change = candidate.disabled
      ? consecutive(
          registered,
          changeUser(userId, registered, { type: 'DisableUser', now, otherActiveAdmins: 1 }),
        )
      : registered;
    const beside = {
      credentials: [{ identifier_mac: bytea(identifierMac), user_id: userId }],
      subject_keys: [{ subject_id: userId, wrapped: subject.wrapped }],
      ...passwordRows(userId, change.state, passwordHash),
    };
    const named = usernamePart(node, userId, username ?? undefined);
    return append(by, [change, { rows: beside }, named], () => 'imported');
  });
}
