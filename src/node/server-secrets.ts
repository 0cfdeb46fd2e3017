import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { derivedKey } from '../platform/crypto/derived-key.ts';
import { type KeyWrap, KeyWrapError } from '../platform/crypto/key-wrap.ts';

/** Keys that every node shares and that no token or event contains. */
export interface ServerSecrets {
  readonly refreshMacKeys: ReadonlyMap<number, KeyObject>;
  /** The ring entry that new refresh tokens are made with. */
  readonly refreshMacKeyId: number;
  readonly identifierKey: KeyObject;
  /** Seals every row and event that gives authority. */
  readonly recordSealKey: Buffer;
  /** Makes the nonces of DPoP proofs. */
  readonly dpopNonceKey: KeyObject;
  /** Tags the kids of session keys. */
  readonly sessionKidKey: KeyObject;
  /**
   * Codes and links are derived with it: whoever has it and the database knows the open ones. A new
   * one makes those worthless that are on their way.
   */
  readonly mailProofKey: KeyObject;
  /** Enciphers which code a caller has asked for. */
  readonly otpHandleKey: KeyObject;
  /** Makes the challenges and the bound cookies of device-bound sessions. */
  readonly boundSessionKey: KeyObject;
  /** Seals what a login has shown by its first factor, for the request that brings the second. */
  readonly loginChallengeKey: KeyObject;
  /** Makes the codes with which an administrator enrols a first second factor. */
  readonly enrolmentCodeKey: KeyObject;
}

interface Queryable {
  query(statement: { text: string; values?: unknown[] }): Promise<{
    rows: Record<string, unknown>[];
  }>;
}

const identifierKid = 'identifier-lookup';
export const recordSealKid = 'record-seal';
const refreshMacPrefix = 'refresh-mac-';
const mailProofKid = 'mail-proofs';

/** By kid: what it is for. */
const initialSecrets: Readonly<Record<string, string>> = {
  [identifierKid]: 'identifier-lookup',
  [recordSealKid]: 'record-seal',
  [`${refreshMacPrefix}1`]: 'refresh-mac',
  [mailProofKid]: 'mail-proofs',
};

/**
 * Reads the shared keys, making them where the log is still empty; any number of nodes may do so at
 * once, the first row wins. To open them is also the proof that this is the database's own
 * key-encryption key: every process that writes a wrapped key calls this first. Throws KeyWrapError
 * when it is missing or wrong.
 */
export async function loadServerSecrets(
  client: Queryable,
  keyWrap: KeyWrap,
): Promise<ServerSecrets> {
  let stored = await readSecrets(client);
  const missing = Object.entries(initialSecrets).filter(([kid]) => !stored.has(kid));
  if (missing.length > 0) {
    // The wrong key must not make the missing ones either.
    await openAll(keyWrap, stored);
    for (const [kid, purpose] of missing) await create(client, keyWrap, kid, purpose);
    stored = await readSecrets(client);
  }
  const opened = await openAll(keyWrap, stored);
  const refreshMacKeys = new Map<number, KeyObject>();
  for (const [kid, key] of opened) {
    const id = /^refresh-mac-(\d{1,6})$/.exec(kid)?.[1];
    if (id !== undefined) refreshMacKeys.set(Number(id), createSecretKey(key));
  }
  const recordSealKey = present(opened, recordSealKid);
  return {
    refreshMacKeys,
    refreshMacKeyId: Math.max(...refreshMacKeys.keys()),
    identifierKey: createSecretKey(present(opened, identifierKid)),
    recordSealKey,
    mailProofKey: createSecretKey(present(opened, mailProofKid)),
    otpHandleKey: derivedKey(recordSealKey, 'latchkey otp handle v1'),
    dpopNonceKey: derivedKey(recordSealKey, 'latchkey dpop nonce v1'),
    sessionKidKey: derivedKey(recordSealKey, 'latchkey session kid tag v1'),
    boundSessionKey: derivedKey(recordSealKey, 'latchkey bound sessions v1'),
    loginChallengeKey: derivedKey(recordSealKey, 'latchkey login challenge v1'),
    enrolmentCodeKey: derivedKey(recordSealKey, 'latchkey enrolment code v1'),
  };
}

async function readSecrets(client: Queryable): Promise<Map<string, string>> {
  const { rows } = await client.query({
    text: 'select kid, wrapped from latchkey.key_secrets where purpose = any ($1)',
    values: [Object.values(initialSecrets)],
  });
  return new Map(rows.map(({ kid, wrapped }) => [kid as string, wrapped as string]));
}

async function openAll(
  keyWrap: KeyWrap,
  stored: ReadonlyMap<string, string>,
): Promise<Map<string, Buffer>> {
  const opened = new Map<string, Buffer>();
  for (const [kid, wrapped] of stored) {
    try {
      opened.set(kid, Buffer.from(await keyWrap.unwrap(kid, wrapped)));
    } catch (cause) {
      throw new KeyWrapError(
        `This KEK is not the one of this database, so nothing was written: ${(cause as Error).message}. ` +
          'Set KEK to the value that the running service has.',
        { cause },
      );
    }
  }
  return opened;
}

/**
 * Never beside a log that has events, whose rows and addresses were made with the key that is
 * missing. A lost refresh key only makes every refresh token unknown, which a restore even wants, and
 * a lost mail key every code and link that is on its way.
 */
async function create(
  client: Queryable,
  keyWrap: KeyWrap,
  kid: string,
  purpose: string,
): Promise<void> {
  await client.query({
    text: `insert into latchkey.key_secrets (kid, purpose, wrapped)
      select $1, $2, $3 where $2 in ('refresh-mac', 'mail-proofs') or not exists (select from latchkey.events)
      on conflict (kid) do nothing`,
    values: [kid, purpose, await keyWrap.wrap(kid, randomBytes(32))],
  });
}

function present(opened: ReadonlyMap<string, Buffer>, kid: string): Buffer {
  const key = opened.get(kid);
  if (key !== undefined) return key;
  throw new KeyWrapError(
    `The key ${kid} is missing from latchkey.key_secrets although the log has events: ` +
      'restore that row from a backup. A new one would open nothing that was written with it.',
  );
}
