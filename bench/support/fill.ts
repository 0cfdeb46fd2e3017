import { randomBytes } from 'node:crypto';
import type { DeviceType } from '@latchkey/contract/device-type';
import { changeSession } from '../../src/app/session/change-session.ts';
import { changeUser } from '../../src/app/user/change-user.ts';
import { slotOf } from '../../src/domain/kernel/ids.ts';
import { sha256 } from '../../src/domain/kernel/sha256.ts';
import { lifetimesFor } from '../../src/domain/session/lifetimes.ts';
import { type SessionKey, sessionKid } from '../../src/domain/session/session-key.ts';
import { parseEmail } from '../../src/domain/user/identifier.ts';
import { appendBatch } from '../../src/eventlog/append.ts';
import type { Command, CommandRows } from '../../src/eventlog/command.ts';
import { RecordSeal } from '../../src/eventlog/record-seal.ts';
import type { Node } from '../../src/node/node.ts';
import { generateSessionKey } from '../../src/node/signing-keys.ts';
import { identifierMac } from '../../src/platform/crypto/identifier-index.ts';
import { drawSlot, newId } from '../../src/platform/crypto/new-id.ts';
import { sealPersonalData } from '../../src/platform/crypto/subject-cipher.ts';
import { bytea } from '../../src/platform/postgres/bytea.ts';
import { passwordRows } from '../../src/tables/user.ts';
import { emailOf } from './bench-node.ts';
import { openClient } from './bench-postgres.ts';

const commandsPerBatch = 50;
const lanes = 2;

export interface Filling {
  readonly users: number;
  /** One session of each for every user. */
  readonly devices: readonly DeviceType[];
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Given, each session has a key of its own, and this hears of its kid. */
  readonly onKid?: (kid: string) => void;
}

/** Of one key pair, which costs time, each session gets a copy under a kid of its own. */
interface KeyMaker {
  make(): { readonly sessionKey: SessionKey; readonly wrapped: string };
}

/**
 * Registers people with live sessions, far faster than they could log in: the same events and rows,
 * decided and sealed as in the use cases, but a person is one command, and nothing is read or
 * signed.
 * Nobody holds a refresh token of these sessions.
 */
export async function fill(node: Node, appUrl: string, filling: Filling): Promise<void> {
  const seal = new RecordSeal(node.secrets.recordSealKey);
  const keys = filling.onKid === undefined ? null : await keyMaker(node);
  let next = 0;
  const lane = async () => {
    await using opened = new AsyncDisposableStack();
    const client = await openClient(opened, appUrl);
    while (next < filling.users) {
      const from = next;
      next = Math.min(from + commandsPerBatch, filling.users);
      const indexes = Array.from({ length: next - from }, (_, n) => from + n);
      const commands = await Promise.all(
        indexes.map((index) => person(node, { index, keys }, filling)),
      );
      const outcomes = await appendBatch(client, commands, { patient: false, seal });
      if (outcomes.flat().some(({ outcome }) => outcome !== 'appended')) {
        throw new Error('a command of the filling was not appended');
      }
      if (Math.floor(next / 10_000) > Math.floor(from / 10_000)) console.info(`${next} people`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function keyMaker({ secrets, keyWrap }: Node): Promise<KeyMaker> {
  const { sessionKey, privateJwk } = await generateSessionKey('bench', 'Ed25519');
  const wrapped = await keyWrap.wrap('bench', privateJwk);
  const draw = (): string => sessionKid(randomBytes(16), secrets.sessionKidKey) ?? draw();
  const make = () => {
    const kid = draw();
    return { sessionKey: { kid, jwk: { ...sessionKey.jwk, kid } }, wrapped };
  };
  return { make };
}

async function person(
  { secrets, subjectKeys }: Node,
  { index, keys }: { readonly index: number; readonly keys: KeyMaker | null },
  { devices, startedAt, onKid }: Filling,
): Promise<Command> {
  const userId = newId(drawSlot());
  const { key, wrapped } = await subjectKeys.newSubjectKey(userId);
  const email = parseEmail(emailOf(index))!;
  const user = changeUser(userId, null, {
    type: 'RegisterUser',
    now: startedAt,
    pii: sealPersonalData(key, userId, { email: email.address }),
    emailVerified: true,
    hasPassword: true,
    roles: [],
  });
  const secretRows: { kid: string; wrapped: string }[] = [];
  const sessions = devices.map((deviceType) => {
    const made = keys?.make();
    if (made !== undefined) {
      const { kid } = made.sessionKey;
      secretRows.push({ kid, wrapped: made.wrapped });
      onKid?.(kid);
    }
    return changeSession(newId(slotOf(userId)), null, {
      type: 'StartSession',
      now: startedAt,
      userId,
      clientId: null,
      deviceType,
      amr: ['pwd'],
      audience: ['http://latchkey.bench'],
      scope: '',
      transport: 'body',
      lifetimes: lifetimesFor(deviceType),
      secretHash: sha256(randomBytes(32)),
      salt: randomBytes(16).toString('base64url'),
      pii: sealPersonalData(key, userId, {
        ip: '192.0.2.17',
        user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
        device_name: 'work laptop',
      }),
      ...(made === undefined ? {} : { sessionKey: made.sessionKey }),
    });
  });
  const beside: CommandRows = {
    credentials: [
      { identifier_mac: bytea(identifierMac(secrets.identifierKey, email.key)), user_id: userId },
    ],
    subject_keys: [{ subject_id: userId, wrapped }],
    ...(secretRows.length === 0 ? {} : { session_key_secrets: secretRows }),
  };
  const id = newId();
  return {
    commandId: id,
    meta: { request_id: id, correlation_id: id, actor: null, actor_type: 'anonymous' },
    streams: [user.touch, ...sessions.map(({ touch }) => touch)],
    rows: {
      ...user.rows,
      ...beside,
      ...passwordRows(userId, user.state, '$bench$'),
      sessions: sessions.flatMap(({ rows }) => rows.sessions ?? []),
    },
  };
}
